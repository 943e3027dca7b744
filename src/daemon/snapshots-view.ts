import { DestinationTree } from '../filesystem/destination-tree.ts'
import { SnapshotFilesystem } from '../filesystem/snapshot-filesystem.ts'
import { isMapped, openMappedSnapshot, withMapping } from '../foreign/mapped-snapshot.ts'
import { foreignReadme } from '../foreign/readme.ts'
import { listSnapshots } from '../snapshot/catalog.ts'
import { openSnapshotIndex } from '../snapshot/index-file.ts'
import { announceChange } from './announce-change.ts'
import { noticeOfOddDestination } from './odd-destination.ts'
import { refuseForeign } from './refuse-foreign.ts'
import type { View, ViewContext } from './view.ts'
import { startWriting } from './writing.ts'

/** The snapshots of a destination. Rejects when it cannot be reached, or not be written although it is to be. */
export async function snapshotsView(context: ViewContext): Promise<View> {
  await using opening = new AsyncDisposableStack()
  const { options, reader, source, metrics, logger, tell, owner, mount } = context
  if (!options.readOnly) await refuseForeign(reader)
  const writing = options.readOnly
    ? undefined
    : opening.use(
        await startWriting(options, {
          logger,
          metrics,
          tell,
          onPublished: (repository) => void tree.relist(repository).catch(() => {}),
        }),
      )
  const tree: DestinationTree = new DestinationTree({
    reader,
    local: writing?.snapshots,
    listSnapshots: async (repository, { known }) => {
      const entries = await listSnapshots(reader, repository, { known })
      return options.mapping === undefined ? entries : withMapping(entries)
    },
    openTree: (entry, repository, { signal }) => {
      const { mapping, cacheDir } = options
      const place = { store: reader, repository, entry, cacheDir, logger, signal }
      return mapping !== undefined && isMapped(entry)
        ? openMappedSnapshot({ ...place, mapping })
        : openSnapshotIndex(place)
    },
    readme: (repository, name) => foreignReadme(options.destination, repository, name),
    onChange: (change) => {
      const mounted = mount()
      if (mounted !== undefined) void announceChange(change, mounted, logger)
    },
    logger,
  })
  opening.defer(() => tree.close())
  // Asked before mounting: wrong keys or a wrong path are an error of the command, not of the first `ls`.
  const [notice] = await Promise.all([
    noticeOfOddDestination(reader, { mayBeEmpty: !options.readOnly }),
    tree.listing(tree.root, {}),
  ])
  if (notice !== undefined) {
    logger.warn({ destination: reader.description }, notice)
    tell(notice)
  }
  const operations = new SnapshotFilesystem({
    tree,
    source,
    // Only advice: the kernel may have forgotten the file.
    dropPages: (nodeid, offset, length) =>
      void mount()
        ?.invalidateInode(nodeid, offset, length)
        .catch(() => {}),
    writing,
    ...owner,
  })
  const opened = opening.move()
  return {
    operations,
    refresh: (how) => tree.refresh(how),
    snapshots: () => tree.snapshots(),
    writing,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
