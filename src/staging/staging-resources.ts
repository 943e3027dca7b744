import type { BufferPool } from '../base/buffer-pool.ts'
import { Semaphore } from '../base/semaphore.ts'
import { HashThread } from '../cache/hash-thread.ts'
import { ObjectIds } from '../snapshot/object-id.ts'
import { growingMemory, partBuffers } from './growing-upload.ts'
import type { StagingRoom } from './staging-room.ts'
import { type CheckpointThread, checkpointThread } from './write-ahead-log.ts'

/** What the contents of all working snapshots share. */
export interface StagingResources {
  /** Uploads at a time. */
  readonly uploads: Semaphore
  readonly room: StagingRoom
  /** Bytes of growing uploads in memory: `growingMemory` that are read back, and as many that are gathered. */
  readonly memory: Semaphore
  readonly gathering: Semaphore
  readonly buffers: BufferPool
  readonly hashes: HashThread
  readonly checkpoints: CheckpointThread
  readonly ids: ObjectIds
}

/** `uploads`: at a time. Whoever has them ends the threads. */
export function stagingResources(uploads: number, room: StagingRoom): StagingResources {
  return {
    uploads: new Semaphore(uploads),
    room,
    memory: new Semaphore(growingMemory),
    gathering: new Semaphore(growingMemory),
    buffers: partBuffers(),
    hashes: new HashThread(),
    checkpoints: checkpointThread(),
    ids: new ObjectIds(),
  }
}
