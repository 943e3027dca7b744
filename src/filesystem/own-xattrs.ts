import type { Inode } from '../snapshot/tree.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'

/** `user.jbfs.*`: what is known of a file besides what its backup holds. They are shown to who asks for them by name. */

/** Of every file. */
export const fileXattrs: ReadonlyMap<
  string,
  (snapshot: MountedSnapshot, inode: Inode) => Buffer | undefined
> = new Map([
  ['user.jbfs.object', (_, { object }) => bytesOf(object?.id)],
  ['user.jbfs.sha256', (_, { object }) => bytesOf(object?.sha256?.toString('hex'))],
  ['user.jbfs.snapshot', ({ entry }) => bytesOf(entry.name)],
  ['user.jbfs.state', ({ working }, { ino }) => bytesOf(working?.stateOf(ino) ?? 'published')],
])

/** Of a snapshot's folder, which has them even when its index cannot be opened. */
export const rootXattrs: ReadonlyMap<string, (snapshot: MountedSnapshot) => Buffer | undefined> = new Map([
  ['user.jbfs.snapshot', ({ entry }) => bytesOf(entry.name)],
  [
    'user.jbfs.created',
    ({ entry }) => bytesOf(entry.manifest && new Date(entry.manifest.created * 1000).toISOString()),
  ],
  ['user.jbfs.error', ({ problem }) => bytesOf(problem?.message)],
])

function bytesOf(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text)
}
