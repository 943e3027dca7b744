import type { ForeignObject, ForeignSnapshot } from './layout.ts'
import { nameOf } from './source-tree.ts'

export const account = 'acme'

/** What is in the folder of a snapshot: a manifest as the vendor's, with members that nobody knows. */
export function manifestMembers({ created, entries }: ForeignSnapshot): Record<string, unknown> {
  const tops = entries.filter(({ path, kind }) => kind === 'folder' && path !== '' && !path.includes('/'))
  return {
    created,
    suspended: false,
    account,
    engine: { name: 'backup-engine', build: 417, flags: ['incremental', 'structured'] },
    items: tops.map(({ path }, n) => ({ type: 2 ** n, path: `/home/${account}/${nameOf(path)}` })),
  }
}

export function jsonManifest(snapshot: ForeignSnapshot): ForeignObject {
  return {
    key: `snap.${snapshot.number}/jetbackup.index`,
    bytes: Buffer.from(JSON.stringify(manifestMembers(snapshot))),
  }
}
