import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { encodeHeader, fileSize } from './disk-block-format.ts'

export interface DiskTierOptions {
  /** Made if it is not there. */
  readonly folder: string
  /** Bound on what is kept, bytes. */
  readonly maxBytes: number
  readonly logger: Logger
  /** Epoch milliseconds. */
  readonly now?: (() => number) | undefined
}

export const diskTierDefaults = Object.freeze({
  /** Bytes waiting to be written, which stay in memory for it; what comes beyond is not kept. */
  largestBacklog: 32 << 20,
  /** Part of the bound that is used after an eviction. */
  evictTo: 0.9,
  /** Part of the bound after whose writing the folder is looked through again: another daemon may write to it too. */
  rescanAfter: 0.25,
  /** Milliseconds. The order of use survives a remount only so finely, and most reads write nothing. */
  useGranularity: 600_000,
  /** Fewer than would keep the thread pool from reading what somebody waits for. */
  scanConcurrency: 4,
  /** Milliseconds. One line in the log for all faults in so long a time. */
  faultInterval: 60_000,
  /** Milliseconds after which the temporary file of a daemon that died is removed. */
  temporaryLifetime: 3_600_000,
})

/** Room on a disk is given out in such units, bytes. */
const diskUnit = 4096

interface Kept {
  readonly size: number
  /** Epoch milliseconds of the last use we know of. */
  readonly used: number
  /** The same as the file's mtime says, for the next mount. */
  readonly stamped: number
}

/**
 * Content kept on disk across mounts, by name. Each file is checked before it is used, and any fault is only a miss. Files are written and evicted in the
 * background, the longest unused first; nothing is synced, because what a crash leaves half written does not pass the check.
 *
 * Several daemons may share a folder: files appear by rename and never change, and one that is evicted under a reader is a miss. Each keeps to the bound what it knows
 * of, and looks again at times, so that together they may be over it by as much as they write meanwhile.
 */
export class DiskTier implements AsyncDisposable {
  readonly #options: DiskTierOptions
  readonly #now: () => number
  /** By path below the folder. */
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: Number.MAX_SAFE_INTEGER,
    sizeCalculation: ({ size }) => Math.ceil((size + 1) / diskUnit) * diskUnit,
  })
  #backlog = 0
  #writtenSinceScan = 0
  #isScanned = false
  #isClosed = false
  #nextComplaint = 0
  #faults = 0
  #lastFault: string | undefined
  /** What is done in the background, one thing after the other. */
  #work: Promise<void> = Promise.resolve()

  private constructor(options: DiskTierOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** What is in the folder already is looked through in the background. Rejects when the folder cannot be made. */
  static async open(options: DiskTierOptions): Promise<DiskTier> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    const tier = new DiskTier(options)
    tier.#later(() => tier.#scan())
    return tier
  }

  get bytesKept(): number {
    return this.#kept.calculatedSize
  }

  /** Times that it did not work as it should, and what was wrong the last time. */
  get faults(): { readonly count: number; readonly last: string | undefined } {
    return { count: this.#faults, last: this.#lastFault }
  }

  /** False when it certainly has nothing under this name. */
  mayHave(name: string): boolean {
    return this.#mayHave(pathOf(name))
  }

  /**
   * The bytes kept under `name`, in `into` if that is given; undefined when there are none, or they are not the `length` bytes that were
   * put.
   */
  async get(name: string, length: number, into?: Buffer): Promise<Buffer | undefined> {
    const path = pathOf(name)
    if (!this.#mayHave(path)) return undefined
    try {
      const content = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length)
      if (await readWhole(this.#absolute(path), name, content)) {
        this.#use(path, fileSize(name, length))
        return content
      }
      this.delete(name)
    } catch (error) {
      this.#kept.delete(path)
      this.#complain(error)
    }
    return undefined
  }

  /** Keeps the bytes, if there is room for them. Resolves when they are no longer needed; they must not change until then. Never rejects. */
  async put(name: string, bytes: Buffer): Promise<void> {
    const isTooMuch = this.#backlog + bytes.length > diskTierDefaults.largestBacklog
    if (isTooMuch || fileSize(name, bytes.length) > this.#options.maxBytes || this.#kept.has(pathOf(name)))
      return
    this.#backlog += bytes.length
    await this.#later(() => this.#write(name, bytes))
    this.#backlog -= bytes.length
  }

  delete(name: string): void {
    const path = pathOf(name)
    this.#kept.delete(path)
    this.#later(() => rm(this.#absolute(path), { force: true }))
  }

  /** Resolves when all that was put so far is kept, or given up. */
  settled(): Promise<void> {
    return this.#work
  }

  /** Gives up what is still to be written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#work
  }

  #mayHave(path: string): boolean {
    return !this.#isScanned || this.#kept.has(path)
  }

  /** Never rejects. */
  #later(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work
      .then(() => (this.#isClosed ? undefined : work()))
      .catch((error: unknown) => this.#complain(error))
    return this.#work
  }

  async #write(name: string, bytes: Buffer): Promise<void> {
    const path = pathOf(name)
    const target = this.#absolute(path)
    const temporary = `${target}.${process.pid}.tmp`
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    try {
      await writeAll(temporary, [encodeHeader(name, bytes), bytes])
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    const size = fileSize(name, bytes.length)
    const now = this.#now()
    this.#kept.set(path, { size, used: now, stamped: now })
    this.#writtenSinceScan += size
    const { maxBytes } = this.#options
    if (this.#writtenSinceScan > maxBytes * diskTierDefaults.rescanAfter) await this.#scan()
    else await this.#evict()
  }

  async #evict(): Promise<void> {
    const { maxBytes } = this.#options
    if (this.bytesKept <= maxBytes) return
    while (this.bytesKept > maxBytes * diskTierDefaults.evictTo && !this.#isClosed) {
      const path = this.#kept.rkeys().next().value
      if (path === undefined) return
      this.#kept.delete(path)
      await rm(this.#absolute(path), { force: true })
    }
  }

  async #scan(): Promise<void> {
    this.#writtenSinceScan = 0
    const { folder } = this.#options
    const found: [path: string, kept: Kept][] = []
    for (const shard of await readdir(folder)) {
      const paths = (await readdir(join(folder, shard)).catch(() => [])).map((name) => join(shard, name))
      while (paths.length > 0 && !this.#isClosed) {
        const looks = paths.splice(0, diskTierDefaults.scanConcurrency).map((path) => this.#look(path))
        found.push(...(await Promise.all(looks)).filter((look) => look !== undefined))
      }
    }
    if (this.#isClosed) return
    found.sort(([, a], [, b]) => a.used - b.used)
    this.#kept.clear()
    for (const [path, kept] of found) this.#kept.set(path, kept)
    this.#isScanned = true
    await this.#evict()
  }

  async #look(path: string): Promise<[path: string, kept: Kept] | undefined> {
    // Gone again: another daemon evicts too.
    const stats = await stat(this.#absolute(path)).catch(() => undefined)
    if (stats === undefined) return undefined
    const used = Math.max(stats.mtimeMs, this.#kept.peek(path)?.used ?? 0)
    if (!path.endsWith('.tmp')) return [path, { size: stats.size, used, stamped: stats.mtimeMs }]
    if (used < this.#now() - diskTierDefaults.temporaryLifetime)
      await rm(this.#absolute(path), { force: true })
    return undefined
  }

  #use(path: string, size: number): void {
    const now = this.#now()
    const stamped = this.#kept.peek(path)?.stamped ?? 0
    const isRecent = stamped > now - diskTierDefaults.useGranularity
    this.#kept.set(path, { size, used: now, stamped: isRecent ? stamped : now })
    if (isRecent) return
    this.#later(() => utimes(this.#absolute(path), now / 1000, now / 1000))
  }

  #absolute(path: string): string {
    return join(this.#options.folder, path)
  }

  #complain(error: unknown): void {
    // Another daemon has evicted it.
    if (codeOf(error) === 'ENOENT') return
    this.#faults++
    this.#lastFault = messageOf(error)
    if (this.#now() < this.#nextComplaint) return
    this.#nextComplaint = this.#now() + diskTierDefaults.faultInterval
    const { folder, logger } = this.#options
    logger.warn({ folder, error: messageOf(error) }, 'the disk cache does not work as it should')
  }
}

/** Any name as a file name; spread over folders, of which none becomes long. */
function pathOf(name: string): string {
  const digest = createHash('sha256').update(name).digest('hex')
  return join(digest.slice(0, 2), digest.slice(2))
}

/** Fills `content` from a file, and says whether just that was written there under `name`. */
async function readWhole(path: string, name: string, content: Buffer): Promise<boolean> {
  await using file = await open(path, 'r')
  const header = Buffer.allocUnsafe(fileSize(name, 0))
  // One byte more is enough to see that the file is too long.
  const { bytesRead } = await file.readv([header, content, Buffer.allocUnsafe(1)], 0)
  return bytesRead === header.length + content.length && header.equals(encodeHeader(name, content))
}

async function writeAll(path: string, parts: readonly Buffer[]): Promise<void> {
  await using file = await open(path, 'w', 0o600)
  const { bytesWritten } = await file.writev(parts)
  const size = parts.reduce((sum, { length }) => sum + length, 0)
  if (bytesWritten < size)
    throw new Error(`${path}: ${bytesWritten} of ${size} bytes written; the disk may be full`)
}
