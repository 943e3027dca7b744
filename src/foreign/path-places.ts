import type { StatementSync } from 'node:sqlite'
import { LRUCache } from 'lru-cache'
import { codeOf } from '../base/errors.ts'
import { displayFileName, fileNameOfBytes } from '../snapshot/file-name.ts'
import { rootIno } from '../snapshot/schema.ts'
import { type FileName, isFolderMode } from '../snapshot/tree.ts'
import type { NewInode, WorkingIndex } from '../snapshot/working-index.ts'
import { bytesOf } from './cells.ts'
import { type Refusal, refusal } from './faults.ts'
import type { MappedCells } from './mapped-row.ts'

/** Folders whose numbers are at hand, and bytes of their paths: rows of one folder mostly follow each other. */
const remembered = 10_000
const rememberedBytes = 8 << 20

const unknownTime = { seconds: 0, nanoseconds: 0 }
/** A folder of which no row tells. */
export const untoldFolder: NewInode = {
  mode: 0o040755,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  mtime: unknownTime,
  ctime: unknownTime,
}

/** Puts rows with whole paths in their places, in any order: folders are made when something lies in them, and become what their row says when it comes. */
export class PathPlaces {
  readonly #index: WorkingIndex
  readonly #known: StatementSync
  readonly #add: StatementSync
  readonly #tell: StatementSync
  /** Path → ino. */
  readonly #recent = new LRUCache<string, number>({
    max: remembered,
    maxSize: rememberedBytes,
    sizeCalculation: (_, path) => path.length + 1,
  })

  constructor(index: WorkingIndex) {
    this.#index = index
    index.database.exec(
      'CREATE TABLE folder_place (path BLOB PRIMARY KEY, ino INTEGER, told INTEGER) WITHOUT ROWID',
    )
    const prepare = (sql: string): StatementSync => index.database.prepare(sql)
    this.#known = prepare('SELECT ino, told FROM folder_place WHERE path = ?')
    this.#add = prepare('INSERT INTO folder_place VALUES (?, ?, ?)')
    this.#tell = prepare('UPDATE folder_place SET told = 1 WHERE path = ?')
    this.#add.run(Buffer.alloc(0), rootIno, 0)
  }

  /** `add` makes the row's inode, or finds that which it is a link to. */
  place({ path }: MappedCells, inode: NewInode, add: () => number): Refusal | undefined {
    const parts = partsOf(bytesOf(path))
    if (typeof parts === 'string') return refusal('bad-path', parts)
    const isFolder = isFolderMode(inode.mode)
    if (isFolder) return this.#placeFolder(parts, inode)
    const name = parts.pop()
    if (name === undefined) return refusal('bad-path', 'the top folder is said to be none')
    const parent = this.#folderAt(parts)
    if (parent === undefined) return refusal('parent-no-folder', display([...parts, name]))
    return enter(this.#index, parent, name, add())
      ? undefined
      : refusal('path-twice', display([...parts, name]))
  }

  /** All rows are in their places already. */
  *finish(): Iterable<Refusal> {}

  #placeFolder(parts: readonly FileName[], inode: NewInode): Refusal | undefined {
    const path = Buffer.from(parts.join('/'), 'latin1')
    const known = this.#known.get(path)
    if (known?.told === 1) return refusal('path-twice', display(parts))
    if (known === undefined) {
      const isPlaced = this.#newFolder(parts, inode, 1) !== undefined
      return isPlaced ? undefined : refusal('parent-no-folder', display(parts))
    }
    this.#index.changeInode(known.ino as number, inode)
    this.#tell.run(path)
    return undefined
  }

  /** Undefined when something else is there, or where a folder above it would be. */
  #folderAt(parts: readonly FileName[]): number | undefined {
    const path = parts.join('/')
    const recent = this.#recent.get(path)
    if (recent !== undefined) return recent
    const known = this.#known.get(Buffer.from(path, 'latin1'))
    const ino = known === undefined ? this.#newFolder(parts, untoldFolder, 0) : (known.ino as number)
    if (ino !== undefined) this.#recent.set(path, ino)
    return ino
  }

  #newFolder(parts: readonly FileName[], inode: NewInode, told: 0 | 1): number | undefined {
    const parent = this.#folderAt(parts.slice(0, -1))
    if (parent === undefined) return undefined
    const ino = this.#index.addInode(inode)
    if (!enter(this.#index, parent, parts.at(-1)!, ino)) return undefined
    this.#add.run(Buffer.from(parts.join('/'), 'latin1'), ino, told)
    return ino
  }
}

/** False when the folder has such a name already. */
export function enter(index: WorkingIndex, parent: number, name: FileName, ino: number): boolean {
  try {
    index.addDentry(parent, name, ino)
    return true
  } catch (error) {
    if (codeOf(error) !== 'ERR_SQLITE_ERROR' || (error as { errcode?: number }).errcode !== uniqueConstraint)
      throw error
    return false
  }
}

/** SQLITE_CONSTRAINT_UNIQUE */
const uniqueConstraint = 2067

/** The names in a path, or what is wrong with it. The longest that Linux knows has 4,095 bytes; longer ones can still be walked. */
function partsOf(path: Buffer | null): FileName[] | string {
  if (path === null) return 'a path is NULL'
  const names: FileName[] = []
  for (const part of path.toString('latin1').split('/')) {
    if (part === '' || (part === '.' && names.length === 0)) continue
    const name = fileNameOfBytes(Buffer.from(part, 'latin1'))
    if (name === undefined || path.length > longestPath || names.length === deepest)
      return display([path.toString('latin1') as FileName])
    names.push(name)
  }
  return names
}

/** Bytes. */
const longestPath = 65_536
/** Folders, each of which has a row with all of its path. */
const deepest = 1_000

function display(parts: readonly FileName[]): string {
  return displayFileName(parts.join('/').slice(0, 200) as FileName)
}
