import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import { writeAll } from '../base/write-all.ts'
import type { DirectoryRoot } from './directory-root.ts'
import { StoreError } from './errors.ts'
import { finishFile } from './finish-file.ts'
import type {
  ObjectKey,
  ObjectMetadata,
  PartStore,
  UploadPart,
  UploadToken,
  WholeUpload,
} from './object-store.ts'
import { growingPrefix } from './stale-temporaries.ts'

export interface DirectoryPartsOptions {
  readonly root: DirectoryRoot
  /** Makes the folder. */
  readonly prepare: (folder: string) => Promise<void>
  /** Gives a whole file the name of the object. */
  readonly appear: (key: ObjectKey, file: string, options: Abortable) => Promise<void>
  readonly head: (key: ObjectKey, options: Abortable) => Promise<ObjectMetadata | undefined>
  readonly metadataOf: (key: ObjectKey, stats: BigIntStats) => ObjectMetadata
}

/** Objects of a directory store that grow in a file beside them: a part is kept when it is on the disk. */
export class DirectoryParts implements PartStore {
  readonly #options: DirectoryPartsOptions

  constructor(options: DirectoryPartsOptions) {
    this.#options = options
  }

  async begin(key: ObjectKey): Promise<UploadToken> {
    const { root, prepare } = this.#options
    const token = randomBytes(8).toString('hex') as UploadToken
    const path = this.#pathOf(key, token)
    try {
      await prepare(dirname(path))
      await using _file = await open(path, 'wx', 0o600)
      return token
    } catch (error) {
      throw root.failure(error, key)
    }
  }

  async put(
    key: ObjectKey,
    upload: UploadToken,
    { number, offset, bytes }: UploadPart,
    { signal }: Abortable = {},
  ): Promise<string> {
    signal?.throwIfAborted()
    await this.#with(key, upload, { signal }, async (file) => {
      await writeAll(file, bytes, offset)
      await file.datasync()
    })
    return String(number)
  }

  async complete(
    key: ObjectKey,
    upload: UploadToken,
    _parts: readonly string[],
    { size, signal }: WholeUpload,
  ): Promise<ObjectMetadata> {
    const { appear, metadataOf, head } = this.#options
    const work = this.#with(key, upload, { signal }, async (file) => {
      const stats = await finishFile(file)
      if (Number(stats.size) !== size)
        throw new StoreError('invalid', `${key} has ${stats.size} bytes in its parts, not ${size}`)
      await appear(key, this.#pathOf(key, upload), { signal })
      return metadataOf(key, stats)
    })
    return await work.catch(async (error: unknown) => {
      const there = codeOf(error) === 'changed' ? await head(key, { signal }) : undefined
      if (there?.size !== size) throw error
      return there
    })
  }

  async abandon(key: ObjectKey, upload: UploadToken): Promise<void> {
    await rm(this.#pathOf(key, upload), { force: true }).catch((error: unknown) => {
      throw this.#options.root.failure(error, key)
    })
  }

  async #with<T>(
    key: ObjectKey,
    upload: UploadToken,
    { signal }: Abortable,
    work: (file: FileHandle) => Promise<T>,
  ): Promise<T> {
    try {
      await using file = await open(this.#pathOf(key, upload), 'r+')
      return await work(file)
    } catch (error) {
      if (codeOf(error) === 'ENOENT')
        throw new StoreError('changed', `${key}: its parts are gone`, { cause: error })
      throw signal?.aborted ? signal.reason : this.#options.root.failure(error, key)
    }
  }

  #pathOf(key: ObjectKey, upload: UploadToken): string {
    return join(dirname(this.#options.root.pathOf(key)), growingPrefix + upload)
  }
}
