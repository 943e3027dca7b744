import { isOwnFolder, ownerKey, parseSnapshotName } from '../destination/layout.ts'
import { FuseError } from '../fuse/errno.ts'
import type { ChangeContext, Entry, MaybePromise, Place } from '../fuse/operations.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { rootIno } from '../snapshot/schema.ts'
import type { WritableSnapshots } from '../snapshot/writable-tree.ts'
import type { ChangeableSnapshots } from './changeable-snapshots.ts'
import type { DestinationTree } from './destination-tree.ts'
import type { Child, Listing } from './folder.ts'
import { nodeidOf } from './inode-number.ts'
import { MountedSnapshot } from './mounted-snapshot.ts'
import { then } from './then.ts'

export interface DestinationChangesOptions {
  readonly tree: DestinationTree
  readonly snapshots: WritableSnapshots
  readonly changeable: ChangeableSnapshots
  /** What is shown of a name in a folder that is listed. */
  readonly entryOf: (parent: number, name: string) => Entry | undefined
  /** Throws when this server may not write any more. */
  readonly check: () => void
}

/** What changes above snapshots: folders are made and removed, and snapshots are begun, renamed and removed as if they were some. */
export class DestinationChanges {
  readonly #options: DestinationChangesOptions

  constructor(options: DestinationChangesOptions) {
    this.#options = options
  }

  /** `mode` with the file type, and without what a umask takes away. */
  makeFolder(parent: number, name: string, mode: number, context: ChangeContext): MaybePromise<Entry> {
    this.#options.check()
    refuseName(name)
    const { tree, snapshots, entryOf } = this.#options
    const { uid, gid, signal } = context
    return then(tree.listing(tree.folder(parent), { signal }), ({ children }) => {
      const folder = tree.folder(parent)
      if (children.has(name)) throw new ChangeError('name-taken')
      const number = parseSnapshotName(name)
      if (number !== undefined) {
        // What else writes here knows nothing of ours, and may take it for its own (native-notes/format.md §8).
        if (holdsForeign(children)) throw new FuseError('EROFS')
        const working = snapshots.begin(folder.prefix, number, { mode, uid, gid })
        tree.addWorking(folder, number, working)
      } else tree.addFolder(folder, name)
      return entryOf(parent, name) as Entry
    })
  }

  removeFolder(parent: number, name: string, context: ChangeContext): MaybePromise<void> {
    this.#options.check()
    const { tree, snapshots } = this.#options
    return then(tree.listing(tree.folder(parent), context), async ({ children }) => {
      const folder = tree.folder(parent)
      const target = children.get(name)?.target
      if (target === undefined) throw new ChangeError('no-name')
      if (!('slot' in target)) {
        if (target.kind !== 'folder') throw new ChangeError('no-folder')
        const { children: inside } = await tree.listing(target, context)
        if (inside.values().some(({ target }) => !isLatest(target))) throw new ChangeError('not-empty')
        tree.removeChild(folder, name)
        return
      }
      const inside = await target.tree(context)
      for (const _ of inside.entries(inside.root, 0)) throw new ChangeError('not-empty')
      await snapshots.remove(target.repository, target.entry)
      tree.removeChild(folder, name)
    })
  }

  /** `latest` is taken away in vain, as it goes with its snapshots: `rm -r` must get past it. */
  unlink(parent: number, name: string, context: ChangeContext): MaybePromise<void> {
    this.#options.check()
    const { tree } = this.#options
    return then(tree.listing(tree.folder(parent), context), ({ children }) => {
      const target = children.get(name)?.target
      if (target === undefined) throw new ChangeError('no-name')
      if (!isLatest(target)) throw new ChangeError('not-permitted')
    })
  }

  async rename({ parent, name }: Place, to: Place, context: ChangeContext): Promise<void> {
    this.#options.check()
    const { tree, snapshots, changeable } = this.#options
    const number = parseSnapshotName(to.name)
    const { children } = await tree.listing(tree.folder(parent), context)
    const target = children.get(name)?.target
    if (target === undefined) throw new ChangeError('no-name')
    // EXDEV, which makes mv(1) copy, is for what can be copied: a whole repository would be stored anew before that fails.
    if (!('slot' in target)) throw new ChangeError('bad-place')
    if (parent !== to.parent) throw new ChangeError('other-snapshot')
    if (number === undefined) throw new FuseError('EINVAL')
    if (children.has(to.name)) throw new ChangeError('name-taken')
    await changeable.writable(nodeidOf(target.slot, rootIno), context)
    const { repository, entry } = target
    await snapshots.renumber(repository, entry, number, context)
    tree.renameSnapshot(tree.folder(parent), name, target, number)
  }
}

/**
 * Who lists a folder takes `files/` and `export/` in it for a repository's own and looks into neither, so that nobody would see a snapshot that is published below
 * them; and what is called like a snapshot with a wrong number is not meant to be a folder of the destination.
 */
function refuseName(name: string): void {
  if (isOwnFolder(name) || name === ownerKey) throw new ChangeError('bad-place')
  if (/^snap\.\d+$/.test(name) && parseSnapshotName(name) === undefined) throw new FuseError('EINVAL')
}

function isLatest(target: Child['target']): boolean {
  return !(target instanceof MountedSnapshot) && target.kind === 'link'
}

function holdsForeign(children: Listing['children']): boolean {
  return children
    .values()
    .some(({ target }) => target instanceof MountedSnapshot && target.entry.problem?.code === 'foreign')
}
