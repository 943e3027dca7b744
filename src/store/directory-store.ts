import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import { Semaphore } from '../base/semaphore.ts'
import { StoreError } from './errors.ts'
import { pieceSize, readSource } from './file-source.ts'
import {
  type ByteRange,
  type GetOptions,
  type ListOptions,
  type ListPage,
  type ObjectBody,
  type ObjectKey,
  type ObjectMetadata,
  type ObjectStore,
  type ObjectStream,
  objectKey,
  type PutBody,
  type PutOptions,
} from './object-store.ts'

const pageSize = 1000
/** Begins the names of files that are being written; such a name is never a key. */
const temporaryPrefix = '.jbfs-tmp-'

/**
 * An object store in a local folder: keys are paths below it. Objects appear whole or not at all: they are written under another
 * name, synced, and renamed. The last component of a path is never followed when it is a symlink.
 */
export class DirectoryStore implements ObjectStore {
  readonly description: string
  readonly #root: string
  /** A condition and the write it allows must not be parted by another write of this process. */
  readonly #writing = new Semaphore(1)

  /** `root`: absolute path of an existing folder. */
  constructor(root: string) {
    this.#root = root
    this.description = root
  }

  async get(
    key: ObjectKey,
    { range, ifMatch, into, signal }: GetOptions = {},
  ): Promise<ObjectBody | undefined> {
    signal?.throwIfAborted()
    return this.#reading(key, signal, async (file, metadata) => {
      if (ifMatch !== undefined && ifMatch !== metadata.etag) throw this.#changed(key)
      const { offset, length } = clip(range, metadata, key)
      const fits = into !== undefined && into.length >= length
      const bytes = fits ? into.subarray(0, length) : Buffer.allocUnsafeSlow(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
        if (bytesRead === 0)
          throw new StoreError('unavailable', `${key} has become shorter while it was read`)
        filled += bytesRead
        signal?.throwIfAborted()
      }
      return { ...metadata, bytes }
    })
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
      if (ifMatch !== undefined && ifMatch !== metadata.etag) throw this.#changed(key)
      const { offset, length } = clip(range, metadata, key)
      if (length === 0) {
        await file.close()
        return { ...metadata, body: (async function* () {})() }
      }
      // Closes the file at its end, or when it is left early.
      const body = file.createReadStream({
        start: offset,
        end: offset + length - 1,
        highWaterMark: pieceSize,
        signal,
      })
      return { ...metadata, body }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async head(key: ObjectKey, { signal }: Abortable = {}): Promise<ObjectMetadata | undefined> {
    signal?.throwIfAborted()
    return this.#reading(key, signal, async (_, metadata) => metadata)
  }

  async *list(prefix: string, { delimiter, signal }: ListOptions = {}): AsyncIterable<ListPage> {
    signal?.throwIfAborted()
    // Only what lies in the prefix's own folder can begin with it.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    let objects: ObjectMetadata[] = []
    let prefixes: string[] = []
    for await (const found of this.#walk(folder, prefix, delimiter !== undefined, signal)) {
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
    const path = this.#pathOf(key)
    const temporary = join(dirname(path), temporaryPrefix + randomBytes(8).toString('hex'))
    try {
      await lstat(this.#root)
      await mkdir(dirname(path), { recursive: true })
      await writeWhole(temporary, body, signal)
      using _turn = await this.#writing.acquire({ signal })
      if (ifMatch !== undefined && (await this.head(key))?.etag !== ifMatch) throw this.#changed(key)
      // link(2) fails if the name is taken, in one step.
      if (ifNoneMatch === '*') await link(temporary, path)
      else await rename(temporary, path)
      await syncFolder(dirname(path))
      return metadataOf(key, await lstat(path, { bigint: true }))
    } catch (error) {
      if (codeOf(error) === 'EEXIST')
        throw new StoreError('exists', `${key} exists already`, { cause: error })
      throw this.#failed(error, key, signal)
    } finally {
      await rm(temporary, { force: true })
    }
  }

  async delete(keys: readonly ObjectKey[], { signal }: Abortable = {}): Promise<void> {
    for (const key of keys) {
      signal?.throwIfAborted()
      const path = this.#pathOf(key)
      try {
        await rm(path, { force: true })
        // Keys have no folders of their own: one that is empty now is gone, as in S3.
        for (let folder = dirname(path); folder !== this.#root; folder = dirname(folder)) await rmdir(folder)
      } catch (error) {
        if (!['ENOTEMPTY', 'ENOENT', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? ''))
          throw this.#failed(error, key, signal)
      }
    }
  }

  async *#walk(
    folder: string,
    prefix: string,
    rollUp: boolean,
    signal: AbortSignal | undefined,
  ): AsyncIterable<ObjectMetadata | string> {
    const entries = await this.#entriesOf(folder)
    for (const { name, isFolder } of entries) {
      signal?.throwIfAborted()
      const key = folder + name
      const path = isFolder ? `${key}/` : key
      if (!path.startsWith(prefix) && !(isFolder && prefix.startsWith(path))) continue
      if (isFolder && rollUp) yield path
      else if (isFolder) yield* this.#walk(path, prefix, false, signal)
      else {
        const metadata = await this.#metadata(objectKey(key))
        if (metadata !== undefined) yield metadata
      }
    }
  }

  /** In the order of the keys: a folder stands where its name with a slash would. */
  async #entriesOf(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
    try {
      const entries = await readdir(join(this.#root, folder), { withFileTypes: true })
      return entries
        .filter((entry) => (entry.isFile() || entry.isDirectory()) && !entry.name.startsWith(temporaryPrefix))
        .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
        .map((entry) => ({ ...entry, order: Buffer.from(entry.isFolder ? `${entry.name}/` : entry.name) }))
        .sort((a, b) => a.order.compare(b.order))
    } catch (error) {
      const isMissing = codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
      if (isMissing && folder !== '') return []
      throw this.#failed(error, folder, undefined)
    }
  }

  async #metadata(key: ObjectKey): Promise<ObjectMetadata | undefined> {
    try {
      return metadataOf(key, await lstat(join(this.#root, key), { bigint: true }))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw this.#failed(error, key, undefined)
    }
  }

  async #reading<T>(
    key: ObjectKey,
    signal: AbortSignal | undefined,
    read: (file: FileHandle, metadata: ObjectMetadata) => Promise<T>,
  ): Promise<T | undefined> {
    const opened = await this.#open(key)
    if (opened === undefined) return undefined
    await using file = opened.file
    try {
      return await read(file, opened.metadata)
    } catch (error) {
      throw this.#failed(error, key, signal)
    }
  }

  async #open(key: ObjectKey): Promise<{ file: FileHandle; metadata: ObjectMetadata } | undefined> {
    const path = this.#pathOf(key)
    let file: FileHandle
    try {
      // Not blocking: a FIFO in the folder must not hold us up.
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      const code = codeOf(error)
      if (
        code === 'ENOENT' ||
        code === 'ENOTDIR' ||
        code === 'ELOOP' ||
        code === 'EISDIR' ||
        code === 'ENXIO'
      ) {
        await lstat(this.#root).catch((cause: unknown) => {
          throw this.#failed(cause, '', undefined)
        })
        return undefined
      }
      throw this.#failed(error, key, undefined)
    }
    const stats = await file.stat({ bigint: true })
    if (stats.isFile()) return { file, metadata: metadataOf(key, stats) }
    await file.close()
    return undefined
  }

  #pathOf(key: ObjectKey): string {
    const parts = key.split('/')
    const isPath = parts.every((part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0'))
    const isTooLong = parts.some((part) => Buffer.byteLength(part) > 255)
    if (!isPath || isTooLong || parts.at(-1)?.startsWith(temporaryPrefix))
      throw new StoreError('invalid', `${JSON.stringify(key)} cannot be a path in ${this.#root}`)
    return join(this.#root, key)
  }

  #changed(key: string): StoreError {
    return new StoreError('changed', `${key} is no longer what it was`)
  }

  #failed(error: unknown, key: string, signal: AbortSignal | undefined): unknown {
    if (error instanceof StoreError || signal?.aborted || (error as Error).name === 'AbortError') return error
    const code = codeOf(error)
    const at = key === '' ? this.#root : `${this.#root}/${key}`
    const wrap = (storeCode: ConstructorParameters<typeof StoreError>[0], text: string): StoreError =>
      new StoreError(storeCode, text, { cause: error })
    if (code === 'ENOENT' || code === 'ENOTDIR') return wrap('no-bucket', `there is no folder ${this.#root}`)
    if (code === 'EACCES' || code === 'EPERM') return wrap('access-denied', `no permission for ${at}`)
    if (code === 'EROFS') return wrap('read-only', `${this.#root} is on a read-only file system`)
    return wrap('unavailable', `${at}: ${messageOf(error)}`)
  }
}

/** Equal etags mean equal bytes: no two states of a file share time, size and inode. */
function metadataOf(key: ObjectKey, stats: BigIntStats): ObjectMetadata {
  const etag = `"${stats.ino.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}"`
  return { key, size: Number(stats.size), etag, modified: Number(stats.mtimeMs) }
}

function clip(range: ByteRange | undefined, { size }: ObjectMetadata, key: string): ByteRange {
  if (range === undefined) return { offset: 0, length: size }
  if (range.offset >= size)
    throw new StoreError('invalid', `${key} has ${size} bytes, none at ${range.offset}`)
  return { offset: range.offset, length: Math.min(range.length, size - range.offset) }
}

async function writeWhole(path: string, body: PutBody, signal: AbortSignal | undefined): Promise<void> {
  await using file = await open(path, 'wx', 0o644)
  if (Buffer.isBuffer(body)) await file.writeFile(body, { signal })
  else for await (const chunk of readSource(body, signal)) await file.writeFile(chunk)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
