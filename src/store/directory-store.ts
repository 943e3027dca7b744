import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { type BigIntStats, constants, renameSync, unlinkSync } from 'node:fs'
import { type FileHandle, lstat, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import { type Logger, silentLogger } from '../base/log.ts'
import { Semaphore } from '../base/semaphore.ts'
import { DirectoryParts } from './directory-parts.ts'
import { DirectoryRoot, isAbsence, syncFolder, temporaryPrefix } from './directory-root.ts'
import { StoreError } from './errors.ts'
import { pieceSize, readSource } from './file-source.ts'
import { finishFile } from './finish-file.ts'
import { moveNew } from './move-new.ts'
import {
  type ByteRange,
  type GetOptions,
  isBehind,
  type ListOptions,
  type ListPage,
  type ObjectBody,
  type ObjectKey,
  type ObjectMetadata,
  type ObjectStore,
  type ObjectStream,
  objectKey,
  type PartStore,
  type PutBody,
  type PutOptions,
  type WriteGuard,
} from './object-store.ts'
import { removeStaleTemporaries } from './stale-temporaries.ts'

const pageSize = 1000
/** Bytes of one read(2): a signal is looked at in between. */
const largestRead = 64 << 20
/** A put is begun anew when a delete takes its folder, which has become empty, away in between. */
const folderTries = 5

export interface DirectoryStoreOptions {
  readonly logger?: Logger | undefined
  readonly guard?: WriteGuard | undefined
}

interface Walk {
  readonly prefix: string
  readonly after: string
  readonly rollUp: boolean
  readonly signal: AbortSignal | undefined
}

/**
 * An object store in a local folder: keys are paths below it. Objects appear whole or not at all: they are written under another
 * name, synced, and renamed. Symlinks below the folder are no objects and no folders, and lead nowhere. Only their owner may read what is
 * written. `ifNoneMatch` holds against every other writer; so does `ifMatch` where the folder can be locked (flock(2), through koffi), else
 * only against those of this process.
 *
 * Every change shares that lock from before the guard is asked until it is made. So a process that is stopped in between, however
 * long, holds up whoever would take its lease by `ifMatch`, and cannot make its change after that.
 */
export class DirectoryStore implements ObjectStore {
  readonly description: string
  readonly parts: PartStore
  readonly #root: DirectoryRoot
  /** A condition and the write it allows must not be parted by another write of this process. */
  readonly #writing = new Semaphore(1)

  readonly #logger: Logger
  readonly #guard: WriteGuard
  /** Folders that were looked through for what dead writers have left: once, as they may hold a million objects. */
  readonly #swept = new Set<string>()
  /** Of names that are not UTF-8: once is enough. */
  #hasWarned = false

  /** `root`: absolute path of an existing folder. */
  constructor(root: string, { logger = silentLogger, guard = () => {} }: DirectoryStoreOptions = {}) {
    this.#root = new DirectoryRoot(root)
    this.#logger = logger
    this.#guard = guard
    this.description = root
    this.parts = new DirectoryParts({
      root: this.#root,
      prepare: (folder) => this.#prepare(folder),
      appear: (key, file, given) => this.#appear(key, file, given),
      head: (key, given) => this.head(key, given),
      metadataOf,
    })
  }

  async get(
    key: ObjectKey,
    { range, ifMatch, into, signal }: GetOptions = {},
  ): Promise<ObjectBody | undefined> {
    signal?.throwIfAborted()
    const opened = await this.#open(key)
    if (opened === undefined) return undefined
    await using file = opened.file
    const { metadata } = opened
    if (ifMatch !== undefined && ifMatch !== metadata.etag) throw changed(key)
    const { offset, length } = clip(range, metadata)
    const fits = into !== undefined && into.length >= length
    const bytes = fits ? into.subarray(0, length) : Buffer.allocUnsafeSlow(length)
    for (let filled = 0; filled < length; ) {
      signal?.throwIfAborted()
      filled += await this.#read(key, file, bytes.subarray(filled, filled + largestRead), offset + filled)
    }
    signal?.throwIfAborted()
    return { ...metadata, bytes, answered: Date.now() }
  }

  async getStream(
    key: ObjectKey,
    { range, ifMatch, signal }: GetOptions = {},
  ): Promise<ObjectStream | undefined> {
    signal?.throwIfAborted()
    const opened = await this.#open(key)
    if (opened === undefined) return undefined
    const { file, metadata } = opened
    try {
      if (ifMatch !== undefined && ifMatch !== metadata.etag) throw changed(key)
      return { ...metadata, body: this.#pieces(key, file, clip(range, metadata), signal) }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async head(key: ObjectKey, { signal }: Abortable = {}): Promise<ObjectMetadata | undefined> {
    signal?.throwIfAborted()
    const opened = await this.#open(key)
    await opened?.file.close()
    return opened?.metadata
  }

  async *list(prefix: string, { delimiter, after = '', signal }: ListOptions = {}): AsyncIterable<ListPage> {
    signal?.throwIfAborted()
    // Only what lies in the prefix's own folder can begin with it.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (!(await this.#root.hasFolder(folder))) return
    let objects: ObjectMetadata[] = []
    let prefixes: string[] = []
    for await (const found of this.#walk(folder, {
      prefix,
      after,
      rollUp: delimiter !== undefined,
      signal,
    })) {
      if (typeof found === 'string') prefixes.push(found)
      else objects.push(found)
      if (objects.length + prefixes.length < pageSize) continue
      yield { objects, prefixes }
      objects = []
      prefixes = []
    }
    if (objects.length + prefixes.length > 0) yield { objects, prefixes }
  }

  async put(
    key: ObjectKey,
    body: PutBody,
    { ifNoneMatch, ifMatch, signal }: PutOptions = {},
  ): Promise<ObjectMetadata> {
    signal?.throwIfAborted()
    const path = this.#root.pathOf(key)
    const temporary = join(dirname(path), temporaryPrefix + randomBytes(8).toString('hex'))
    try {
      const metadata = metadataOf(key, await this.#writeTemporary(temporary, body, signal))
      await this.#appear(key, temporary, { ifNoneMatch, ifMatch, signal })
      return metadata
    } catch (error) {
      throw signal?.aborted ? signal.reason : this.#root.failure(error, key)
    } finally {
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  /** A file that is whole, and on the disk, becomes the object. */
  async #appear(key: ObjectKey, file: string, { ifNoneMatch, ifMatch, signal }: PutOptions): Promise<void> {
    const path = this.#root.pathOf(key)
    using _turn = await this.#writing.acquire({ signal })
    {
      using _lock = await this.#root.lock(ifMatch === undefined ? 'shared' : 'exclusive', { signal })
      if (ifMatch !== undefined && (await this.head(key))?.etag !== ifMatch) throw changed(key)
      this.#guard()
      if (ifNoneMatch === '*') moveNew(file, path)
      else renameSync(file, path)
    }
    await syncFolder(dirname(path))
  }

  async delete(keys: readonly ObjectKey[], { signal }: Abortable = {}): Promise<void> {
    await this.#root.check()
    let folder: { readonly path: string; readonly isOurs: boolean } | undefined
    const changed = new Set<string>()
    for (const key of keys) {
      signal?.throwIfAborted()
      const path = this.#root.pathOf(key)
      if (folder?.path !== dirname(path))
        folder = { path: dirname(path), isOurs: await this.#root.holds(dirname(path)) }
      if (!folder.isOurs) continue
      try {
        // A symlink or a pipe is no object.
        if (!(await lstat(path)).isFile()) continue
        using _lock = await this.#root.lock('shared', { signal })
        this.#guard()
        unlinkSync(path)
      } catch (error) {
        if (isAbsence(error)) continue
        throw signal?.aborted ? signal.reason : this.#root.failure(error, key)
      }
      changed.add(await this.#root.removeEmpty(folder.path))
    }
    for (const path of changed) await this.#root.keepRemovals(path)
  }

  async *#walk(folder: string, walk: Walk): AsyncIterable<ObjectMetadata | string> {
    const { prefix, after, rollUp, signal } = walk
    for (const { name, isFolder } of await this.#entriesOf(folder)) {
      signal?.throwIfAborted()
      const path = `${folder}${name}${isFolder ? '/' : ''}`
      if (!path.startsWith(prefix) && !(isFolder && prefix.startsWith(path))) continue
      const isEntered = isFolder && !rollUp
      if (!isBehind(path, after) && !(isEntered && after.startsWith(path))) continue
      if (isEntered) yield* this.#walk(path, walk)
      else if (isFolder) yield path
      else {
        const metadata = await this.#metadata(objectKey(path))
        if (metadata !== undefined) yield metadata
      }
    }
  }

  /** In the order of the keys: a folder stands where its name with a slash would. */
  async #entriesOf(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
    try {
      const path = join(this.#root.path, folder)
      const entries = await readdir(path, { withFileTypes: true, encoding: 'buffer' })
      return entries
        .filter((entry) => (entry.isFile() || entry.isDirectory()) && this.#isKeyPart(folder, entry.name))
        .map((entry) => ({ name: entry.name.toString(), isFolder: entry.isDirectory() }))
        .map((entry) => ({ ...entry, order: Buffer.from(entry.isFolder ? `${entry.name}/` : entry.name) }))
        .sort((a, b) => a.order.compare(b.order))
    } catch (error) {
      if (isAbsence(error) && folder !== '') return []
      throw this.#root.failure(error, folder)
    }
  }

  #isKeyPart(folder: string, name: Buffer): boolean {
    if (name.indexOf(temporaryPrefix) === 0) return false
    if (isUtf8(name)) return true
    if (!this.#hasWarned)
      this.#logger.warn(
        { folder: join(this.#root.path, folder), name: name.toString('latin1') },
        'names that are not UTF-8 cannot be keys and are left out',
      )
    this.#hasWarned = true
    return false
  }

  async #metadata(key: ObjectKey): Promise<ObjectMetadata | undefined> {
    try {
      return metadataOf(key, await lstat(join(this.#root.path, key), { bigint: true }))
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw this.#root.failure(error, key)
    }
  }

  async #open(key: ObjectKey): Promise<{ file: FileHandle; metadata: ObjectMetadata } | undefined> {
    const path = this.#root.pathOf(key)
    let file: FileHandle
    try {
      // Not blocking: a FIFO in the folder must not hold us up.
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      if (!isAbsence(error)) throw this.#root.failure(error, key)
      await this.#root.check()
      return undefined
    }
    try {
      const stats = await file.stat({ bigint: true })
      if (stats.isFile() && this.#root.holdsOpen(file)) return { file, metadata: metadataOf(key, stats) }
    } catch (error) {
      await file.close()
      throw this.#root.failure(error, key)
    }
    await file.close()
    return undefined
  }

  /** Bytes read, at least one. */
  async #read(key: string, file: FileHandle, into: Buffer, position: number): Promise<number> {
    const { bytesRead } = await file.read(into, 0, into.length, position).catch((error: unknown) => {
      throw this.#root.failure(error, key)
    })
    if (bytesRead === 0) throw new StoreError('unavailable', `${key} has become shorter while it was read`)
    return bytesRead
  }

  /** Closes the file at its end, or when it is left early. */
  async *#pieces(
    key: string,
    handle: FileHandle,
    { offset, length }: ByteRange,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Buffer> {
    await using file = handle
    for (let done = 0; done < length; ) {
      signal?.throwIfAborted()
      const piece = Buffer.allocUnsafeSlow(Math.min(pieceSize, length - done))
      const bytesRead = await this.#read(key, file, piece, offset + done)
      yield piece.subarray(0, bytesRead)
      done += bytesRead
    }
  }

  /** For a file that is to be written there. */
  async #prepare(folder: string): Promise<void> {
    await this.#root.makeFolder(folder)
    if (this.#swept.has(folder)) return
    this.#swept.add(folder)
    await removeStaleTemporaries(folder)
  }

  async #writeTemporary(path: string, body: PutBody, signal: AbortSignal | undefined): Promise<BigIntStats> {
    for (let attempt = 1; ; attempt++)
      try {
        await this.#prepare(dirname(path))
        return await writeWhole(path, body, signal)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempt === folderTries) throw error
      }
  }
}

function changed(key: string): StoreError {
  return new StoreError('changed', `${key} is no longer what it was`)
}

/** Equal etags mean equal bytes: no two states of a file share time, size and inode. */
function metadataOf(key: ObjectKey, stats: BigIntStats): ObjectMetadata {
  const etag = `"${stats.ino.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}"`
  return { key, size: Number(stats.size), etag, modified: Number(stats.mtimeMs) }
}

function clip(range: ByteRange | undefined, { key, size }: ObjectMetadata): ByteRange {
  if (range === undefined) return { offset: 0, length: size }
  if (range.offset >= size)
    throw new StoreError('invalid', `${key} has ${size} bytes, none at ${range.offset}`)
  return { offset: range.offset, length: Math.min(range.length, size - range.offset) }
}

async function writeWhole(
  path: string,
  body: PutBody,
  signal: AbortSignal | undefined,
): Promise<BigIntStats> {
  await using file = await open(path, 'wx', 0o600)
  if (Buffer.isBuffer(body)) await file.writeFile(body, { signal })
  else for await (const chunk of readSource(body, signal)) await file.writeFile(chunk)
  return await finishFile(file)
}
