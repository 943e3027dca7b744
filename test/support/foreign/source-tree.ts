import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** One name of a tree that is to become a backup. Bytes are strings of latin1. */
export interface SourceEntry {
  /** Below the source, `/` between the names; empty for the source itself. */
  readonly path: string
  readonly kind: 'folder' | 'file' | 'symlink'
  /** st_mode. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Milliseconds since 1970. */
  readonly modified: number
  /** Of a file. */
  readonly content: Buffer | undefined
  /** Of a symlink. */
  readonly target: string | undefined
}

/** Everything in a folder, itself first, each folder before what it holds, names in the order of their bytes. */
export function readSourceTree(folder: string): SourceEntry[] {
  const entries: SourceEntry[] = []
  const visit = (path: string): void => {
    const place = placeOf(folder, path)
    const entry = describe(path, place)
    entries.push(entry)
    if (entry.kind !== 'folder') return
    const names = readdirSync(place, { encoding: 'buffer' }).sort(Buffer.compare)
    for (const name of names) visit((path === '' ? '' : `${path}/`) + name.toString('latin1'))
  }
  visit('')
  return entries
}

/** Where a path of latin1 below a folder is. */
export function placeOf(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')])
}

/** The last name of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The path of the folder that a path is in; the top folder's is empty. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export function isEmpty({ content }: SourceEntry): boolean {
  return content === undefined || content.length === 0
}

function describe(path: string, place: Buffer): SourceEntry {
  const stats = lstatSync(place, { bigint: true })
  if (stats.mtimeNs % 1_000_000n !== 0n) throw new Error(`no layout keeps the time of ${path}`)
  const kind = stats.isDirectory()
    ? 'folder'
    : stats.isFile()
      ? 'file'
      : stats.isSymbolicLink()
        ? 'symlink'
        : undefined
  if (kind === undefined) throw new Error(`no layout keeps ${path}`)
  return {
    path,
    kind,
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    modified: Number(stats.mtimeNs / 1_000_000n),
    content: kind === 'file' ? readFileSync(place) : undefined,
    target: kind === 'symlink' ? readlinkSync(place, { encoding: 'buffer' }).toString('latin1') : undefined,
  }
}
