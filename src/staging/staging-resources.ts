import type { BufferPool } from '../base/buffer-pool.ts'
import type { Semaphore } from '../base/semaphore.ts'
import type { HashThread } from '../cache/hash-thread.ts'
import type { ObjectIds } from '../snapshot/object-id.ts'
import type { StagingRoom } from './staging-room.ts'
import type { CheckpointThread } from './write-ahead-log.ts'

/** What the contents of all working snapshots share. */
export interface StagingResources {
  /** Uploads at a time. */
  readonly uploads: Semaphore
  readonly room: StagingRoom
  /** Bytes of growing uploads in memory: `growingMemory`. */
  readonly memory: Semaphore
  readonly buffers: BufferPool
  readonly hashes: HashThread
  readonly checkpoints: CheckpointThread
  readonly ids: ObjectIds
}
