import { RawFilesystem } from '../filesystem/raw-filesystem.ts'
import { announceChange } from './announce-change.ts'
import type { View, ViewContext } from './view.ts'

/** The keys of a destination as they are. Rejects when it cannot be reached. */
export async function rawView({ reader, source, owner, mount, logger }: ViewContext): Promise<View> {
  const operations = new RawFilesystem({
    reader,
    source,
    onChange: (change) => {
      const mounted = mount()
      if (mounted !== undefined) void announceChange(change, mounted, logger)
    },
    ...owner,
  })
  await operations.listTop()
  return {
    operations,
    refresh: async () => operations.refresh(),
    snapshots: () => [],
    writing: undefined,
    async [Symbol.asyncDispose]() {},
  }
}
