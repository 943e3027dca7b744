import { filesPrefix } from '../destination/layout.ts'
import type { NewInode } from '../snapshot/working-index.ts'
import { type ObjectKey, objectKey } from '../store/object-store.ts'
import { bytesOf, countOf, modeOf, sha256Of, textOf, timeOf } from './cells.ts'
import type { FileKind, Mapping } from './mapping.ts'
import { type ColumnName, columnNames } from './mapping-columns.ts'
import type { Row, Value } from './query-protocol.ts'

/** One row of a foreign table, by the columns of a mapping; NULL for those that it does not have. */
export type MappedCells = Readonly<Record<ColumnName, Value>>

/** What a row says of its inode. Where it stands is said by `path`, or `id`, `parent` and `name`. */
export interface MappedRow {
  readonly inode: Omit<NewInode, 'object'>
  readonly object: MappedObject | undefined
  /** The same in rows that are hard links of each other. */
  readonly link: string | undefined
}

/** The object of a file; `inode.size` are its bytes when they are unpacked. */
export interface MappedObject {
  /** Below the repository. */
  readonly key: ObjectKey
  readonly isGzip: boolean
  readonly sha256: Buffer | undefined
}

/** Why a row cannot be shown. */
export interface RowFault {
  readonly fault: string
}

const typeBits: Readonly<Record<Exclude<FileKind, 'other'>, number>> = {
  file: 0o100000,
  folder: 0o040000,
  symlink: 0o120000,
}
/** Of rows that do not tell. */
const usualPermissions = new Map<number, number>([
  [typeBits.folder, 0o755],
  [typeBits.symlink, 0o777],
])
const usualOfFiles = 0o644
const setUid = 0o4000
const setGid = 0o2000
const knownTypes = [0o010000, 0o020000, 0o040000, 0o060000, 0o100000, 0o120000, 0o140000]

const slash = 0x2f
const largestSize = 2 ** 53 - 1
const largestOwner = 2 ** 32 - 2
const longestTarget = 4095

/** The cells of a row in the order of `columnNames`, by name. */
export function cellsOf(row: Row): MappedCells {
  const cells: Partial<Record<ColumnName, Value>> = {}
  for (let index = 0; index < columnNames.length; index++) cells[columnNames[index]!] = row[index] ?? null
  return cells as MappedCells
}

/** Which kind of file a row is, its type says, else its mode, else a / at the end of its path, a target, or whether it has an object or a size. */
export function mappedRow(cells: MappedCells, mapping: Mapping): MappedRow | RowFault {
  const mode = modeOf(cells.mode, mapping.modeUnit)
  if (mode === undefined) return notUnderstood('mode', cells.mode, `unit ${mapping.modeUnit}`)
  const type = typeOf(cells, mode ?? 0, mapping)
  if (typeof type === 'string') return { fault: type }
  const size = countOf(cells.size, largestSize)
  if (size === undefined) return notUnderstood('size', cells.size, 'a count of bytes')
  const mtime = timeOf(cells.mtime, mapping.timeUnit)
  if (mtime === undefined) return notUnderstood('mtime', cells.mtime, `unit ${mapping.timeUnit}`)
  const ctime = timeOf(cells.ctime, mapping.timeUnit)
  if (ctime === undefined) return notUnderstood('ctime', cells.ctime, `unit ${mapping.timeUnit}`)
  const target = type === typeBits.symlink ? bytesOf(cells.target)?.toString('latin1') : undefined
  if (type === typeBits.symlink) {
    if (target === undefined || target === '') return { fault: 'a symlink has no target' }
    if (target.length > longestTarget || target.includes('\0'))
      return { fault: 'the target of a symlink is impossible' }
  }
  const content = type === typeBits.file ? contentOf(cells, size) : undefined
  if (content !== undefined && 'fault' in content) return content
  const link = type === typeBits.folder ? undefined : textOf(cells.inode) || undefined
  // Names of users say nothing on another machine.
  const uid = countOf(cells.uid, largestOwner)
  const gid = countOf(cells.gid, largestOwner)
  const epoch = { seconds: 0, nanoseconds: 0 }
  return {
    inode: {
      mode: type | permissionsOf(type, mode, { uid, gid }),
      uid: uid ?? 0,
      gid: gid ?? 0,
      rdev: 0,
      size: target?.length ?? content?.size ?? 0,
      mtime: mtime ?? ctime ?? epoch,
      ctime: ctime ?? mtime ?? epoch,
      target,
    },
    object: content?.object,
    link,
  }
}

/** The type bits of a row's mode, or why they are not known. */
function typeOf(cells: MappedCells, mode: number, { types }: Mapping): number | string {
  const word = textOf(cells.type)
  const ofMode = mode & 0o170000
  if (word !== null && word !== '') {
    const kind = (Object.keys(types) as FileKind[]).find((kind) => types[kind].includes(word))
    if (kind === undefined) return `type ${JSON.stringify(word)} is not in types`
    if (kind !== 'other') return typeBits[kind]
    if (ofMode === 0) return `type ${JSON.stringify(word)} is another one than mode tells of`
  }
  if (ofMode !== 0) return knownTypes.includes(ofMode) ? ofMode : `mode has no type that there is`
  if (bytesOf(cells.path)?.at(-1) === slash) return typeBits.folder
  if (textOf(cells.target)) return typeBits.symlink
  return cells.object === null && cells.size === null ? typeBits.folder : typeBits.file
}

interface Owners {
  readonly uid: number | null | undefined
  readonly gid: number | null | undefined
}

/** Root stands in for an owner that is not known: no program becomes one that runs as root by that. */
function permissionsOf(type: number, mode: number | null, { uid, gid }: Owners): number {
  if (mode === null) return usualPermissions.get(type) ?? usualOfFiles
  const unknown = (uid == null ? setUid : 0) | (gid == null ? setGid : 0)
  return mode & 0o7777 & ~(type === typeBits.file ? unknown : 0)
}

interface Content {
  readonly size: number
  readonly object: MappedObject | undefined
}

function contentOf(cells: MappedCells, size: number | null): Content | RowFault {
  const name = textOf(cells.object)
  if (size === 0) return { size, object: undefined }
  if (name === null || name === '') return { fault: 'a file that is not empty has no object' }
  if (size === null) return { fault: 'a file has an object, and no size' }
  const key = keyOf(name)
  if (key === undefined) return { fault: `object is ${JSON.stringify(name)}, which is no key` }
  const isGzip = packingOf(cells.encoding)
  if (isGzip === undefined) return notUnderstood('encoding', cells.encoding, 'gzip, plain or NULL')
  const sha256 = sha256Of(cells.sha256)
  if (sha256 === undefined) return notUnderstood('sha256', cells.sha256, 'a SHA-256')
  return { size, object: { key, isGzip, sha256: sha256 ?? undefined } }
}

function keyOf(name: string): ObjectKey | undefined {
  const key = name.includes('/') ? name.replace(/^\//, '') : filesPrefix('') + name
  const isPossible =
    key.length <= 1024 &&
    !key.includes('\0') &&
    key.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  return isPossible ? objectKey(key) : undefined
}

function packingOf(cell: Value): boolean | undefined {
  const word = textOf(cell)?.toLowerCase() ?? ''
  if (['', 'plain', 'none', 'raw', '0'].includes(word)) return false
  return ['gzip', 'gz', '1'].includes(word) ? true : undefined
}

function notUnderstood(column: ColumnName, cell: Value, wanted: string): RowFault {
  return { fault: `${column} is ${shownCell(cell)}, which is not understood (${wanted})` }
}

/** For messages; no longer than a line. */
export function shownCell(cell: Value): string {
  if (cell !== null && typeof cell === 'object')
    return `x'${Buffer.from(cell.subarray(0, 40)).toString('hex')}'`
  return typeof cell === 'string' ? JSON.stringify(cell.slice(0, 80)) : String(cell)
}
