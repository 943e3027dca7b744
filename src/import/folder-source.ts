import type { BigIntStats } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { codeOf, messageOf } from '../base/errors.ts'
import { lgetxattr, llistxattr, lseekData, lseekHole } from '../base/libc.ts'
import { bytesOfFileName, fileNameOfBytes } from '../snapshot/file-name.ts'
import type { FileName, Timestamp } from '../snapshot/tree.ts'
import type { ByteRange } from '../store/object-store.ts'
import { ImportError } from './errors.ts'
import type { ImportSource, SourceContent, SourceEntry } from './source.ts'

const separator = Buffer.from('/')
/** st_blocks counts in these (stat(2)). */
const sectorSize = 512n

/** A folder of this machine, with everything that an inode has: owners, times to the nanosecond, links, holes, xattrs and ACLs. */
export class FolderSource implements ImportSource {
  readonly description: string
  readonly #top: Buffer

  private constructor(path: string) {
    this.description = path
    this.#top = Buffer.from(path)
  }

  /** Rejects with `bad-source` when `path` is no folder. */
  static async open(path: string): Promise<FolderSource> {
    try {
      const stats = await lstat(path)
      if (!stats.isDirectory()) throw new ImportError('bad-source', `${path} is no folder`)
    } catch (error) {
      if (error instanceof ImportError) throw error
      throw new ImportError('bad-source', `${path} cannot be read: ${messageOf(error)}`, { cause: error })
    }
    return new FolderSource(path)
  }

  async *entries({ signal }: { readonly signal: AbortSignal }): AsyncIterable<SourceEntry> {
    // The next folder on top; a folder is yielded before what is in it.
    const toVisit: { path: readonly FileName[]; at: Buffer }[] = [{ path: [], at: this.#top }]
    for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
      signal.throwIfAborted()
      yield await entryOf(folder.path, folder.at)
      const below: typeof toVisit = []
      for (const entry of await listing(folder.at)) {
        signal.throwIfAborted()
        const name = fileNameOfBytes(entry.name)
        if (name === undefined)
          throw new ImportError('bad-source', `${String(folder.at)} holds a name of no length`)
        const path = [...folder.path, name]
        const at = Buffer.concat([folder.at, separator, bytesOfFileName(name)])
        if (entry.isFolder) below.push({ path, at })
        else yield await entryOf(path, at)
      }
      toVisit.push(...below.reverse())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function listing(folder: Buffer): Promise<{ name: Buffer; isFolder: boolean }[]> {
  const entries = await readable(folder, () => readdir(folder, { withFileTypes: true, encoding: 'buffer' }))
  return entries
    .map((entry) => ({ name: entry.name as unknown as Buffer, isFolder: entry.isDirectory() }))
    .sort((a, b) => a.name.compare(b.name))
}

async function entryOf(path: readonly FileName[], at: Buffer): Promise<SourceEntry> {
  return readable(at, async () => {
    const stats = await lstat(at, { bigint: true })
    const isSymlink = stats.isSymbolicLink()
    const hasContent = stats.isFile() && stats.size > 0n
    return {
      path,
      inode: {
        mode: Number(stats.mode),
        uid: Number(stats.uid),
        gid: Number(stats.gid),
        rdev: stats.isBlockDevice() || stats.isCharacterDevice() ? Number(stats.rdev) : 0,
        size: Number(stats.size),
        mtime: timestampOf(stats.mtimeNs),
        ctime: timestampOf(stats.ctimeNs),
        target: isSymlink ? (await readlink(at, { encoding: 'buffer' })).toString('latin1') : undefined,
        xattrs: llistxattr(at)
          .map((name) => ({ name, value: lgetxattr(at, name) }))
          .filter((xattr): xattr is { name: Buffer; value: Buffer } => xattr.value !== undefined),
      },
      link: stats.nlink > 1n && !stats.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined,
      content: hasContent ? await contentOf(path, at, stats) : undefined,
    }
  })
}

/** undefined for a file that is one hole. */
async function contentOf(
  path: readonly FileName[],
  at: Buffer,
  stats: BigIntStats,
): Promise<SourceContent | undefined> {
  const size = Number(stats.size)
  const mayHaveHoles = stats.blocks * sectorSize < stats.size
  const ranges = mayHaveHoles ? await dataRanges(at, size) : [{ offset: 0, length: size }]
  if (ranges.length === 0) return undefined
  const sparse = ranges.length > 1 || ranges[0]?.length !== size
  return {
    file: at,
    ranges,
    sparse,
    async isUnchanged() {
      const now = await lstat(at, { bigint: true })
      return now.size === stats.size && now.mtimeNs === stats.mtimeNs && now.ctimeNs === stats.ctimeNs
    },
    again: () => entryOf(path, at),
    async [Symbol.asyncDispose]() {},
  }
}

async function dataRanges(at: Buffer, size: number): Promise<ByteRange[]> {
  await using file = await open(at, 'r')
  const ranges: ByteRange[] = []
  for (let end = 0; end < size; ) {
    const offset = lseekData(file.fd, end)
    if (offset === undefined) break
    end = Math.min(size, lseekHole(file.fd, offset) ?? size)
    if (end <= offset) break
    ranges.push({ offset, length: end - offset })
  }
  return ranges
}

function timestampOf(nanoseconds: bigint): Timestamp {
  const billion = 1_000_000_000n
  const part = ((nanoseconds % billion) + billion) % billion
  return { seconds: Number((nanoseconds - part) / billion), nanoseconds: Number(part) }
}

/** A backup with something missing would be worse than none: what cannot be read ends the import. */
async function readable<T>(at: Buffer, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ImportError || codeOf(error) === 'no-koffi') throw error
    throw new ImportError('bad-source', `${String(at)} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
