import type { Abortable } from '../base/abort.ts'
import { SingleFlight } from '../base/single-flight.ts'
import type { ByteRange } from '../store/object-store.ts'
import type { BlobFetcher } from './blob-fetcher.ts'
import { blobName } from './blob-name.ts'
import type { Blob } from './blob-source.ts'
import type { CacheCounters } from './cache-metrics.ts'
import type { CorruptBlobs } from './corrupt-blobs.ts'
import type { DiskTier } from './disk-tier.ts'
import type { HashThread } from './hash-thread.ts'
import type { MemoryTier, Room } from './memory-tier.ts'

export interface WholeBlobsContext {
  readonly memory: MemoryTier
  readonly disk: DiskTier | undefined
  readonly fetcher: BlobFetcher
  readonly corrupt: CorruptBlobs
  readonly counters: CacheCounters
  readonly hashing: HashThread
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

  /** For a reader of `range`, when it is held; all of it, lent. */
  held(blob: Blob, range: ByteRange): Buffer | undefined {
    return this.#context.memory.read(blobName(blob), range)
  }

  /** As `held`, as soon as it has come. The request ends when nobody waits any more. */
  async arrival(blob: Blob, range: ByteRange, options: Abortable): Promise<Buffer> {
    const bytes = await this.#bring(blob, undefined, options)
    this.held(blob, range)
    return bytes
  }

  /** Brings it for nobody in particular, into room that is reserved already. */
  async prefetch(blob: Blob, room: Room): Promise<void> {
    using reserved = room
    await this.#bring(blob, reserved, {})
  }

  #bring(blob: Blob, reserved: Room | undefined, options: Abortable): Promise<Buffer> {
    const name = blobName(blob)
    const work = async ({ signal }: { signal: AbortSignal }): Promise<Buffer> => {
      using room = reserved ?? (await this.#context.memory.reserve(blob.size, { signal }))
      const isKept = await this.#fromDisk(blob, room)
      if (!isKept) await this.#fromStore(blob, room, signal)
      if (!signal.aborted) room.fill(name)
      return room.bytes
    }
    return this.#flights.run(name, work, options)
  }

  /** Whether the room has it now. */
  async #fromDisk(blob: Blob, room: Room): Promise<boolean> {
    const { disk, counters, diskName } = this.#context
    const name = diskName(blob)
    if (disk === undefined || name === undefined || !disk.mayHave(name)) return false
    const bytes = await disk.get(name, blob.size, room.bytes)
    if (bytes === undefined) return false
    if (!(await this.#isRight(blob, room))) {
      disk.delete(name)
      return false
    }
    counters.diskHits++
    return true
  }

  async #fromStore(blob: Blob, room: Room, signal: AbortSignal): Promise<void> {
    const { fetcher, corrupt, disk, diskName } = this.#context
    // Once more, because something on the way may have mangled it.
    for (let attempt = 1; attempt <= 2; attempt++) {
      const bytes = await fetcher.whole(blob, { into: room.bytes, signal })
      if (bytes === undefined) continue
      if (bytes.buffer !== room.bytes.buffer) bytes.copy(room.bytes)
      if (!(await this.#isRight(blob, room))) continue
      const name = diskName(blob)
      if (disk !== undefined && name !== undefined) room.keepFor(disk.put(name, room.bytes))
      corrupt.clear(blob)
      return
    }
    throw corrupt.report(blob)
  }

  async #isRight({ sha256 }: Blob, { bytes }: Room): Promise<boolean> {
    return sha256 === undefined || (await this.#context.hashing.hash(bytes)).equals(sha256)
  }
}
