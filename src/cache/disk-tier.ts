import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'

export interface DiskTierOptions {
  /** Made if it is not there; several daemons may share it. */
  readonly folder: string
  /** Bound on what is kept, bytes. */
  readonly maxBytes: number
  readonly logger: Logger
}

/** Before the content of each file: magic, CRC-32 and length of the content, then the name and its length. */
const magic = 'jbfsblk1'
const headerSize = 20
/** Bytes waiting to be written; what comes beyond is not kept. */
const largestBacklog = 64 << 20
/** After an eviction this much of the bound is used. */
const evictTo = 0.9
/** One line in the log for so many faults. */
const faultsPerLine = 100

/**
 * Content kept on disk across mounts, by name. Every file is checked before it is used; any fault is only a miss. Writes and evictions
 * happen in the background, oldest use first.
 */
export class DiskTier {
  readonly #options: DiskTierOptions
  /** Path → bytes, the least recently used first. */
  readonly #files = new Map<string, number>()
  #bytes = 0
  #backlog = 0
  #faults = 0
  #evicting = false
  #writing: Promise<void> = Promise.resolve()

  private constructor(options: DiskTierOptions) {
    this.#options = options
  }

  /** Looks through what is kept, which takes a moment for a large cache. */
  static async open(options: DiskTierOptions): Promise<DiskTier> {
    const tier = new DiskTier(options)
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    await tier.#scan()
    return tier
  }

  /** The bytes kept under `name`; undefined when there are none, or they are not `size` whole ones. */
  async get(name: string, size: number): Promise<Buffer | undefined> {
    const path = this.#pathOf(name)
    if (!this.#files.has(path)) return undefined
    try {
      await using file = await open(path, 'r')
      const nameBytes = Buffer.from(name)
      const content = Buffer.allocUnsafeSlow(headerSize + nameBytes.length + size)
      const { bytesRead } = await file.read(content, 0, content.length, 0)
      const bytes = content.subarray(headerSize + nameBytes.length)
      const isWhole =
        bytesRead === content.length &&
        content.subarray(0, headerSize + nameBytes.length).equals(headerOf(nameBytes, bytes))
      if (!isWhole) {
        await this.#drop(path)
        return undefined
      }
      this.#used(path, content.length)
      const now = new Date()
      await file.utimes(now, now)
      return bytes
    } catch (error) {
      this.#fault(error)
      return undefined
    }
  }

  /** Keeps a copy, some time later, if there is room for it. */
  put(name: string, bytes: Buffer): void {
    if (this.#backlog + bytes.length > largestBacklog || bytes.length > this.#options.maxBytes) return
    this.#backlog += bytes.length
    this.#writing = this.#writing
      .then(() => this.#write(name, bytes))
      .catch((error: unknown) => this.#fault(error))
      .finally(() => {
        this.#backlog -= bytes.length
      })
  }

  /** Resolves when all that was put so far is kept, or given up. */
  settled(): Promise<void> {
    return this.#writing
  }

  async #write(name: string, bytes: Buffer): Promise<void> {
    const path = this.#pathOf(name)
    const nameBytes = Buffer.from(name)
    const temporary = `${path}.${process.pid}.tmp`
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
    try {
      // Not synced: what a crash leaves half written does not pass the check.
      await writeFile(temporary, Buffer.concat([headerOf(nameBytes, bytes), bytes]), { mode: 0o600 })
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    this.#used(path, headerSize + nameBytes.length + bytes.length)
    if (this.#bytes > this.#options.maxBytes) await this.#evict()
  }

  async #evict(): Promise<void> {
    if (this.#evicting) return
    this.#evicting = true
    try {
      for (const path of this.#files.keys()) {
        if (this.#bytes <= this.#options.maxBytes * evictTo) break
        await this.#drop(path)
      }
    } finally {
      this.#evicting = false
    }
  }

  async #drop(path: string): Promise<void> {
    this.#bytes -= this.#files.get(path) ?? 0
    this.#files.delete(path)
    await rm(path, { force: true })
  }

  #used(path: string, size: number): void {
    this.#bytes += size - (this.#files.get(path) ?? 0)
    this.#files.delete(path)
    this.#files.set(path, size)
  }

  async #scan(): Promise<void> {
    const { folder } = this.#options
    const found: { path: string; size: number; used: number }[] = []
    for (const shard of await readdir(folder)) {
      for (const name of await readdir(join(folder, shard)).catch(() => [])) {
        const path = join(folder, shard, name)
        const { size, mtimeMs } = await stat(path)
        if (name.endsWith('.tmp')) await rm(path, { force: true })
        else found.push({ path, size, used: mtimeMs })
      }
    }
    for (const { path, size } of found.sort((a, b) => a.used - b.used)) this.#used(path, size)
    if (this.#bytes > this.#options.maxBytes) await this.#evict()
  }

  #pathOf(name: string): string {
    const digest = createHash('sha256').update(name).digest('hex')
    return join(this.#options.folder, digest.slice(0, 2), digest.slice(2))
  }

  #fault(error: unknown): void {
    // Another daemon may have evicted it.
    if (codeOf(error) === 'ENOENT') return
    if (this.#faults++ % faultsPerLine === 0)
      this.#options.logger.warn({ error: messageOf(error) }, 'the disk cache does not work as it should')
  }
}

function headerOf(name: Buffer, bytes: Buffer): Buffer {
  const header = Buffer.alloc(headerSize + name.length)
  header.write(magic, 'latin1')
  header.writeUInt32LE(crc32(bytes), 8)
  header.writeUInt32LE(bytes.length, 12)
  header.writeUInt32LE(name.length, 16)
  name.copy(header, headerSize)
  return header
}
