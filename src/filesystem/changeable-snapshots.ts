import { FuseError } from '../fuse/errno.ts'
import type { ChangeContext, MaybePromise, OpenMode } from '../fuse/operations.ts'
import { ChangeError } from '../snapshot/errors.ts'
import type { WritableSnapshot, WritableSnapshots } from '../snapshot/writable-tree.ts'
import type { DestinationTree } from './destination-tree.ts'
import { inoOf, slotOf } from './inode-number.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'
import { then } from './then.ts'

export interface ChangeableSnapshotsOptions {
  readonly tree: Pick<DestinationTree, 'snapshot' | 'snapshotAt'>
  readonly snapshots: Pick<WritableSnapshots, 'change'>
  /** Throws when this server may not write any more. */
  readonly check: () => void
}

/** The snapshots of a mount for writing, by the nodes in them: each becomes changeable when somebody is about to change it, and takes over what is open in it. */
export class ChangeableSnapshots {
  readonly #options: ChangeableSnapshotsOptions
  /** Nodeids that are open to be read in snapshots that nobody has changed yet → how often. */
  readonly #readers = new Map<number, number>()

  constructor(options: ChangeableSnapshotsOptions) {
    this.#options = options
  }

  /** The snapshot that a node is in; undefined when it is gone. */
  find(nodeid: number): MountedSnapshot | undefined {
    return this.#options.tree.snapshot(slotOf(nodeid))
  }

  /** The snapshot that a node is in. Throws ESTALE when it is gone. */
  of(nodeid: number): MountedSnapshot {
    return this.#options.tree.snapshotAt(nodeid)
  }

  /** The snapshot that a node is in, made changeable. */
  writable(nodeid: number, { signal }: ChangeContext): MaybePromise<WritableSnapshot> {
    this.#options.check()
    // Above snapshots there are folders and nothing else.
    if (slotOf(nodeid) === 0) throw new ChangeError('bad-place')
    const snapshot = this.of(nodeid)
    if (snapshot.working !== undefined) return snapshot.working
    if (snapshot.problem !== undefined) throw snapshot.problem
    // What was superseded is the past.
    if (snapshot.isSuperseded) throw new FuseError('ESTALE')
    return this.#change(snapshot, signal)
  }

  opened(nodeid: number, { writes }: OpenMode, context: ChangeContext): MaybePromise<void> {
    const ino = inoOf(nodeid)
    const present = this.of(nodeid).working
    if (!writes) {
      if (present !== undefined) present.opened(ino, false)
      else this.#readers.set(nodeid, (this.#readers.get(nodeid) ?? 0) + 1)
      return
    }
    return then(this.writable(nodeid, context), (working) => working.opened(ino, true))
  }

  closed(nodeid: number, { writes }: OpenMode): void {
    const readers = this.#readers.get(nodeid)
    if (readers === undefined) this.find(nodeid)?.working?.closed(inoOf(nodeid), writes)
    else if (readers === 1) this.#readers.delete(nodeid)
    else this.#readers.set(nodeid, readers - 1)
  }

  async #change(snapshot: MountedSnapshot, signal: AbortSignal): Promise<WritableSnapshot> {
    // Its tree is open then, and whoever reads goes on with the numbers he has.
    await snapshot.tree({ signal })
    const working = await this.#options.snapshots.change(snapshot.repository, snapshot.entry, { signal })
    snapshot.becomeWorking(working)
    for (const [nodeid, readers] of this.#readers) {
      if (slotOf(nodeid) !== snapshot.slot) continue
      for (let i = 0; i < readers; i++) working.opened(inoOf(nodeid), false)
      this.#readers.delete(nodeid)
    }
    return working
  }
}
