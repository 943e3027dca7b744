/**
 * Writes a snapshot of a million files into a directory destination, without a million files: only its index, and one object that all
 * of them share. Run it to see how jbfs bears a large snapshot (time until the first `ls`, memory after `find`):
 *
 *   node scripts/million.ts /tmp/destination/account
 *   jbfs mount /tmp/destination /mnt && time ls /mnt/account/snap.1
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import yargs from 'yargs'
import { formatByteSize } from '../src/base/byte-size.ts'
import { fileKey } from '../src/destination/layout.ts'
import { ObjectIds } from '../src/snapshot/object-id.ts'
import { publishSnapshot } from '../src/snapshot/publish.ts'
import type { FileName } from '../src/snapshot/tree.ts'
import { WorkingIndex } from '../src/snapshot/working-index.ts'
import { writeIndex } from '../src/snapshot/write-index.ts'
import { DirectoryStore } from '../src/store/directory-store.ts'

const { repository, files, distinct } = yargs(process.argv.slice(2))
  .usage('$0 <repository>', 'Write snap.1 of a repository in a directory destination', (command) =>
    command.positional('repository', {
      type: 'string',
      demandOption: true,
      describe: 'a folder in the destination, which is made',
    }),
  )
  .options({
    files: {
      type: 'number',
      requiresArg: true,
      default: 1_000_000,
      describe: 'how many files',
    },
    distinct: {
      type: 'boolean',
      default: false,
      describe: 'give each file an object of its own, as real snapshots have; these files cannot be read',
    },
  })
  .strict()
  .parseSync() as unknown as {
  repository: string
  files: number
  distinct: boolean
}

/** A mail folder or an image cache has so many files, others so few. */
const filesOfLargeFolder = 20_000
const filesOfFolder = 50
/** Every so many folders one is large. */
const largeFolderEvery = 2_000
const foldersOfFolder = 40

const text = Buffer.from('One of a million files with the same bytes.\n')
const shared = {
  size: text.length,
  sha256: createHash('sha256').update(text).digest(),
}
const mtime = { seconds: 1_700_000_000, nanoseconds: 123_456_789 }
const owner = { uid: 1000, gid: 1000, rdev: 0, ctime: mtime }
const folder = { mode: 0o40755, ...owner, size: 4096, mtime }

function fill(working: WorkingIndex, ids: ObjectIds, sharedId: string): void {
  working.addObject({ id: sharedId, ...shared })
  working.addInode(folder)
  // Folders in the order in which they are filled; each is given sub-folders until there are enough for all files.
  const folders = [1]
  let made = 0
  for (let at = 0; made < files; at++) {
    const parent = folders[at] as number
    const count = at % largeFolderEvery === largeFolderEvery - 1 ? filesOfLargeFolder : filesOfFolder
    for (let i = 0; i < Math.min(count, foldersOfFolder) && folders.length * filesOfFolder < files; i++) {
      const ino = working.addInode(folder)
      working.addDentry(parent, `folder-${folders.length}` as FileName, ino)
      folders.push(ino)
    }
    for (let i = 0; i < count && made < files; i++, made++) {
      const object = distinct ? ids.next() : sharedId
      if (distinct) working.addObject({ id: object, ...shared })
      const time = {
        seconds: mtime.seconds + ((made * 7919) % 20_000_000),
        nanoseconds: (made * 7919) % 1e9,
      }
      const ino = working.addInode({
        mode: 0o100644,
        ...owner,
        size: shared.size,
        mtime: time,
        object,
      })
      working.addDentry(parent, `${time.seconds}.M${made}P${i}.server,S=${shared.size}.txt` as FileName, ino)
    }
  }
}

const path = resolve(repository)
await mkdir(path, { recursive: true })
const store = new DirectoryStore(dirname(path))
const prefix = `${basename(path)}/`
const indexPath = join(tmpdir(), `million-${randomUUID()}.sqlite`)
try {
  const started = performance.now()
  const ids = new ObjectIds()
  const sharedId = ids.next()
  using working = new WorkingIndex(`${indexPath}.working`)
  fill(working, ids, sharedId)
  const filled = performance.now()
  const totals = writeIndex(working, indexPath)
  const written = performance.now()
  await store.put(fileKey(prefix, sharedId), text)
  await publishSnapshot({
    store,
    repository: prefix,
    number: 1,
    indexPath,
    manifest: {
      created: mtime.seconds,
      suspended: false,
      account: basename(path),
      items: [],
    },
    totals: {
      ...totals,
      writer: 'million',
      root: { ...folder, nlink: 2 + foldersOfFolder, xattrs: 0 },
    },
  })
  const seconds = (from: number, until: number): string => `${((until - from) / 1000).toFixed(1)} s`
  const { size } = await stat(indexPath)
  const { size: compressed } = await stat(join(path, 'export', 'snap.1'))
  console.log(`${totals.files} files, ${totals.folders} folders in ${path}/snap.1`)
  console.log(`index ${formatByteSize(size)}, compressed ${formatByteSize(compressed)}`)
  console.log(
    `filled in ${seconds(started, filled)}, index written in ${seconds(filled, written)}, published in ${seconds(written, performance.now())}`,
  )
  console.log(`peak memory ${formatByteSize(process.resourceUsage().maxRSS * 1024)}`)
} finally {
  await rm(indexPath, { force: true })
  await rm(`${indexPath}.working`, { force: true })
}
