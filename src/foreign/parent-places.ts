import type { StatementSync } from 'node:sqlite'
import { displayFileName, fileNameOfBytes } from '../snapshot/file-name.ts'
import { rootIno } from '../snapshot/schema.ts'
import { type FileName, isFolderMode } from '../snapshot/tree.ts'
import type { NewInode, WorkingIndex } from '../snapshot/working-index.ts'
import { bytesOf, textOf } from './cells.ts'
import { type FaultKind, type Refusal, refusal } from './faults.ts'
import type { MappedCells } from './mapped-row.ts'
import { enter } from './path-places.ts'

/** What names no row, and no missing one either. */
const noParent = new Set(['', '0', '-1'])
/** What a row at the top is called that is the top folder itself. */
const topNames = new Set(['', '/', '.'])

/** Puts rows that name their parents in their places. These may come later: so all of them are placed at the end. */
export class ParentPlaces {
  readonly #index: WorkingIndex
  readonly #add: StatementSync

  constructor(index: WorkingIndex) {
    this.#index = index
    index.database.exec(
      `CREATE TABLE place (id TEXT PRIMARY KEY, parent TEXT, name BLOB, ino INTEGER, is_folder INTEGER) WITHOUT ROWID`,
    )
    this.#add = index.database.prepare('INSERT OR IGNORE INTO place VALUES (?, ?, ?, ?, ?)')
  }

  /** `add` makes the row's inode, or finds that which it is a link to. */
  place({ id, parent, name }: MappedCells, inode: NewInode, add: () => number): Refusal | undefined {
    const own = textOf(id)
    if (own === null) return refusal('not-understood', 'an id is NULL')
    const isFolder = Number(isFolderMode(inode.mode))
    const { changes } = this.#add.run(own, textOf(parent), bytesOf(name) ?? Buffer.alloc(0), add(), isFolder)
    return changes === 1 ? undefined : refusal('id-twice', own)
  }

  *finish(): Iterable<Refusal> {
    this.#placeTop()
    const rows = this.#index.database.prepare(
      `SELECT child.id, child.parent, child.name, child.ino, folder.ino, folder.is_folder
       FROM place AS child LEFT JOIN place AS folder ON folder.id = child.parent WHERE child.ino != ${rootIno}`,
    )
    rows.setReturnArrays(true)
    for (const row of rows.iterate() as unknown as Iterable<PlaceRow>) {
      const refused = this.#placeRow(row)
      if (refused !== undefined) yield refused
    }
  }

  /** A row at the top that has no name is the top folder itself. */
  #placeTop(): void {
    const { database } = this.#index
    const top = database
      .prepare(
        `SELECT id, parent, name, ino FROM place AS child WHERE is_folder = 1 AND length(name) <= 1
         AND (parent IS NULL OR parent = id OR (parent IN ('', '0', '-1') AND NOT EXISTS (SELECT 1 FROM place WHERE id = child.parent)))`,
      )
      .all()
      .find(({ name }) => topNames.has(Buffer.from(name as Uint8Array).toString('latin1')))
    if (top === undefined) return
    database.exec(`DELETE FROM main.inode WHERE ino = ${rootIno}`)
    database.prepare(`UPDATE main.inode SET ino = ${rootIno} WHERE ino = ?`).run(top.ino!)
    database.prepare(`UPDATE place SET ino = ${rootIno} WHERE id = ?`).run(top.id!)
  }

  #placeRow([id, parent, name, ino, folderIno, isFolder]: PlaceRow): Refusal | undefined {
    const refused = (kind: FaultKind): Refusal => {
      const shown = displayFileName(Buffer.from(name).toString('latin1') as FileName)
      return refusal(kind, `${shown} in ${parent ?? 'the top folder'}`)
    }
    const isTop = parent === null || parent === id || (folderIno === null && noParent.has(parent))
    const fileName = fileNameOfBytes(withoutSlash(name))
    if (fileName === undefined) return refused('bad-path')
    if (!isTop && folderIno === null) return refused('parent-missing')
    if (!isTop && isFolder === 0) return refused('parent-no-folder')
    const isEntered = enter(this.#index, isTop ? rootIno : folderIno!, fileName, ino)
    return isEntered ? undefined : refused('path-twice')
  }
}

type PlaceRow = readonly [
  id: string,
  parent: string | null,
  name: Uint8Array,
  ino: number,
  folderIno: number | null,
  isFolder: 0 | 1 | null,
]

/** Of a folder. */
function withoutSlash(name: Uint8Array): Uint8Array {
  return name.length > 1 && name.at(-1) === 0x2f ? name.subarray(0, -1) : name
}
