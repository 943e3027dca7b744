import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { type Abortable, orAborted } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import type { Blob } from './blob-source.ts'

/** Bytes unpacked at a time: with zlib's default of 16 KiB it takes twice as long. */
const chunkSize = 1 << 20

type End = 'whole' | 'missing' | 'wrong'

/** One large gzipped object on its way to a file that has no name, so that nothing is left of it whatever happens. */
export class UnpackedFile implements AsyncDisposable {
  readonly size: number
  readonly #stop = new AbortController()
  #handle: FileHandle | undefined
  #written = 0
  readonly #end: Promise<End>
  #hasEnded = false
  #readers = 0
  #isUnwanted = false
  /** Resolved, and made anew, with each piece that is written. */
  #progress = Promise.withResolvers<void>()

  private constructor(store: ObjectReader, blob: Blob, folder: string) {
    this.size = blob.size
    this.#end = this.#unpack(store, blob, folder)
    const ended = (): void => {
      this.#hasEnded = true
      this.#progress.resolve()
    }
    this.#end.then(ended, ended)
  }

  static start(store: ObjectReader, blob: Blob, folder: string): UnpackedFile {
    return new UnpackedFile(store, blob, folder)
  }

  /** As soon as it is there. */
  async read(range: ByteRange, options: Abortable): Promise<Buffer | 'missing' | 'wrong'> {
    this.#readers++
    try {
      return await this.#read(range, options)
    } finally {
      this.#readers--
      this.#endIfUnwanted()
    }
  }

  /** It ends when nobody reads from it any more, and nobody begins to. */
  release(): void {
    this.#isUnwanted = true
    this.#endIfUnwanted()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#end.catch(() => {})
    await this.#handle?.close()
  }

  #endIfUnwanted(): void {
    if (this.#isUnwanted && this.#readers === 0) void this[Symbol.asyncDispose]()
  }

  async #read({ offset, length }: ByteRange, { signal }: Abortable): Promise<Buffer | 'missing' | 'wrong'> {
    while (this.#written < offset + length && !this.#hasEnded) await orAborted(this.#progress.promise, signal)
    // The last of its bytes only when it has just as many.
    const isEnd = this.#hasEnded || offset + length === this.size
    const end = isEnd ? await orAborted(this.#end, signal) : undefined
    if (end === 'missing' || end === 'wrong') return end
    const bytes = Buffer.allocUnsafeSlow(length)
    const { bytesRead } = await this.#handle!.read(bytes, 0, length, offset)
    return bytesRead === length ? bytes : 'wrong'
  }

  async #unpack(store: ObjectReader, { key, size }: Blob, folder: string): Promise<End> {
    const { signal } = this.#stop
    const stream = await store.getStream(key, { signal })
    if (stream === undefined) return 'missing'
    const handle = await openUnnamed(folder)
    this.#handle = handle
    const keep = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        if (this.#written + chunk.length > size) throw new TooLong()
        await handle.writeFile(chunk)
        this.#written += chunk.length
        this.#progress.resolve()
        this.#progress = Promise.withResolvers()
      }
    }
    try {
      await pipeline(stream.body, createGunzip({ chunkSize }), keep, { signal })
    } catch (error) {
      if (error instanceof TooLong || codeOf(error)?.startsWith('Z_')) return 'wrong'
      throw error
    }
    return this.#written === size ? 'whole' : 'wrong'
  }
}

class TooLong extends Error {}

async function openUnnamed(folder: string): Promise<FileHandle> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${process.pid}.${Math.random().toString(36).slice(2)}`)
  const handle = await open(path, 'wx+', 0o600)
  await rm(path)
  return handle
}
