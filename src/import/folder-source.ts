import type { BigIntStats } from 'node:fs'
import { lstat, readlink, realpath } from 'node:fs/promises'
import { lgetxattr, llistxattr } from '../base/libc.ts'
import { bytesOfFileName, fileNameOfBytes } from '../snapshot/file-name.ts'
import type { FileName, Timestamp } from '../snapshot/tree.ts'
import { ImportError } from './errors.ts'
import { openFound } from './found-file.ts'
import { type FoundFolder, OpenFolder, replaced } from './found-folder.ts'
import { readable } from './readable.ts'
import type { ImportSource, SourceEntry } from './source.ts'

const separator = Buffer.from('/')

/** A folder of this machine, with everything that an inode has: owners, times to the nanosecond, links, holes, xattrs and ACLs. */
export class FolderSource implements ImportSource {
  readonly description: string
  readonly #top: FoundFolder

  private constructor(top: FoundFolder) {
    this.description = String(top.at)
    this.#top = top
  }

  /** `path` may be a symlink to a folder. Rejects with `bad-source` when it is no folder. */
  static async open(path: string | Buffer): Promise<FolderSource> {
    const at = Buffer.from(path)
    return readable(at, async () => {
      const real = await realpath(at, { encoding: 'buffer' })
      const found = await lstat(real, { bigint: true })
      if (!found.isDirectory()) throw new ImportError('bad-source', `${String(at)} is no folder`)
      return new FolderSource({ path: [], at: real, found })
    })
  }

  async *entries({ signal }: { readonly signal: AbortSignal }): AsyncIterable<SourceEntry> {
    // The next folder on top; a folder is yielded before what is in it.
    const toVisit = [this.#top]
    for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
      signal.throwIfAborted()
      await using opened = await OpenFolder.open(folder)
      const { path, at } = folder
      yield await readable(at, async () => ({
        path,
        inode: await inodeOf(opened.pathOf('.'), await lstat(opened.pathOf('.'), { bigint: true })),
      }))
      const below: FoundFolder[] = []
      for (const bytes of await readable(at, () => opened.names())) {
        signal.throwIfAborted()
        const name = fileNameOfBytes(bytes)
        if (name === undefined) throw new ImportError('bad-source', `${String(at)} holds a name of no length`)
        const found = await readable(at, () => lstat(opened.pathOf(bytes), { bigint: true }))
        if (found.isDirectory())
          below.push({ path: [...path, name], at: Buffer.concat([at, separator, bytes]), found })
        else yield await entryOf(folder, opened, name, found)
      }
      toVisit.push(...below.reverse())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function entryOf(
  folder: FoundFolder,
  opened: OpenFolder,
  name: FileName,
  found: BigIntStats,
): Promise<SourceEntry> {
  const bytes = bytesOfFileName(name)
  const at = Buffer.concat([folder.at, separator, bytes])
  const hasContent = found.isFile() && found.size > 0n
  return readable(at, async () => ({
    path: [...folder.path, name],
    inode: await inodeOf(opened.pathOf(bytes), found),
    link: found.nlink > 1n ? `${found.dev}:${found.ino}` : undefined,
    content: hasContent
      ? {
          open: () => openFound(at, found),
          async again() {
            await using reopened = await OpenFolder.open(folder)
            const now = await readable(at, () => lstat(reopened.pathOf(bytes), { bigint: true }))
            if (now.isDirectory()) throw replaced(at)
            return entryOf(folder, reopened, name, now)
          },
        }
      : undefined,
  }))
}

async function inodeOf(at: Buffer, stats: BigIntStats): Promise<SourceEntry['inode']> {
  if (stats.size > Number.MAX_SAFE_INTEGER)
    throw new RangeError(`it has ${stats.size} bytes, and a snapshot holds files of up to 2^53 - 1`)
  return {
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: stats.isBlockDevice() || stats.isCharacterDevice() ? Number(stats.rdev) : 0,
    size: Number(stats.size),
    mtime: timestampOf(stats.mtimeNs),
    ctime: timestampOf(stats.ctimeNs),
    target: stats.isSymbolicLink()
      ? (await readlink(at, { encoding: 'buffer' })).toString('latin1')
      : undefined,
    xattrs: llistxattr(at)
      .map((name) => ({ name, value: lgetxattr(at, name) }))
      .filter((xattr): xattr is { name: Buffer; value: Buffer } => xattr.value !== undefined),
  }
}

function timestampOf(nanoseconds: bigint): Timestamp {
  const billion = 1_000_000_000n
  const part = ((nanoseconds % billion) + billion) % billion
  return { seconds: Number((nanoseconds - part) / billion), nanoseconds: Number(part) }
}
