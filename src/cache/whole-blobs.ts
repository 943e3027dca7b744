import type { Abortable } from '../base/abort.ts'
import { SingleFlight } from '../base/single-flight.ts'
import type { BlobFetcher } from './blob-fetcher.ts'
import { blobName } from './blob-name.ts'
import type { Blob } from './blob-source.ts'
import type { CacheCounters } from './cache-metrics.ts'
import type { CorruptBlobs } from './corrupt-blobs.ts'
import { hasSha256 } from './digest.ts'
import type { DiskTier } from './disk-tier.ts'
import type { MemoryTier, Reservation } from './memory-tier.ts'

export interface WholeBlobsContext {
  readonly memory: MemoryTier
  readonly disk: DiskTier | undefined
  readonly fetcher: BlobFetcher
  readonly corrupt: CorruptBlobs
  readonly counters: CacheCounters
  diskName(blob: Blob): string | undefined
}

/** Small objects: fetched by one request, checked against their SHA-256 before any of it is held or given to anybody. */
export class WholeBlobs {
  readonly #context: WholeBlobsContext
  readonly #flights = new SingleFlight<string, Buffer>()

  constructor(context: WholeBlobsContext) {
    this.#context = context
  }

  /** Held, or on its way. */
  has(blob: Blob): boolean {
    const name = blobName(blob)
    return this.#context.memory.has(name) || this.#flights.has(name)
  }

  /** For a reader, when it is held. */
  held(blob: Blob): Buffer | undefined {
    return this.#context.memory.read(blobName(blob))
  }

  /** For a reader, as soon as it has come. The request ends when nobody waits any more. */
  async arrival(blob: Blob, options: Abortable): Promise<Buffer> {
    const bytes = await this.#bring(blob, undefined, options)
    this.held(blob)
    return bytes
  }

  /** Brings it for nobody in particular, into room that is reserved already. */
  async prefetch(blob: Blob, room: Reservation): Promise<void> {
    using reserved = room
    await this.#bring(blob, reserved, {})
  }

  #bring(blob: Blob, reserved: Reservation | undefined, options: Abortable): Promise<Buffer> {
    const name = blobName(blob)
    const work = async ({ signal }: { signal: AbortSignal }): Promise<Buffer> => {
      using room = reserved ?? (await this.#context.memory.reserve(blob.size, { signal }))
      const bytes = (await this.#fromDisk(blob)) ?? (await this.#fromStore(blob, signal))
      if (!signal.aborted) room.fill(name, bytes)
      return bytes
    }
    return this.#flights.run(name, work, options)
  }

  async #fromDisk(blob: Blob): Promise<Buffer | undefined> {
    const { disk, counters, diskName } = this.#context
    const name = diskName(blob)
    if (disk === undefined || name === undefined || !disk.mayHave(name)) return undefined
    const bytes = await disk.get(name, blob.size)
    if (bytes === undefined) return undefined
    if (!(await isRight(blob, bytes))) {
      disk.delete(name)
      return undefined
    }
    counters.diskHits++
    return bytes
  }

  async #fromStore(blob: Blob, signal: AbortSignal): Promise<Buffer> {
    const { fetcher, corrupt, disk, diskName } = this.#context
    // Once more, because something on the way may have mangled it.
    for (let attempt = 1; attempt <= 2; attempt++) {
      const bytes = await fetcher.whole(blob, { signal })
      if (bytes === undefined || !(await isRight(blob, bytes))) continue
      const name = diskName(blob)
      if (name !== undefined) disk?.put(name, bytes)
      corrupt.clear(blob)
      return bytes
    }
    throw corrupt.report(blob)
  }
}

async function isRight({ size, sha256 }: Blob, bytes: Buffer): Promise<boolean> {
  return bytes.length === size && (sha256 === undefined || (await hasSha256(bytes, sha256)))
}
