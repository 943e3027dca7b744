import type { StatementSync } from 'node:sqlite'
import { displayFileName } from '../snapshot/file-name.ts'
import type { FileName } from '../snapshot/tree.ts'
import { WorkingIndex } from '../snapshot/working-index.ts'
import { type IndexTotals, writeIndex } from '../snapshot/write-index.ts'
import { bytesOf, textOf } from './cells.ts'
import { type Fault, Faults, type Refusal, refusal } from './faults.ts'
import { foreignTables } from './foreign-tables.ts'
import { MappedObjects } from './mapped-objects.ts'
import { cellsOf, type MappedCells, type MappedRow, mappedRow } from './mapped-row.ts'
import { type Mapping, shapeOf } from './mapping.ts'
import { ParentPlaces } from './parent-places.ts'
import { PathPlaces, untoldFolder } from './path-places.ts'
import type { Row } from './query-protocol.ts'

/** Puts rows of foreign tables together to an index of format 1. What is wrong with a row is told of, and the row left out. */
export class MappedIndex implements Disposable {
  readonly #mapping: Mapping
  readonly #index: WorkingIndex
  readonly #faults = new Faults()
  readonly #objects: MappedObjects
  readonly #places: PathPlaces | ParentPlaces
  readonly #linkOf: StatementSync
  readonly #addLink: StatementSync

  /** `path`: a file for what is not put together yet, which does not exist. */
  constructor(path: string, mapping: Mapping) {
    this.#mapping = mapping
    this.#index = new WorkingIndex(path)
    const { database } = this.#index
    // Rows mostly come folder by folder: with four times as much it is no faster.
    database.exec('PRAGMA cache_size = -16384')
    this.#index.addInode(untoldFolder)
    this.#objects = new MappedObjects(database)
    this.#places = new (shapeOf(mapping) === 'paths' ? PathPlaces : ParentPlaces)(this.#index)
    database.exec('CREATE TABLE link (name TEXT PRIMARY KEY, ino INTEGER) WITHOUT ROWID')
    this.#linkOf = database.prepare('SELECT ino FROM link WHERE name = ?')
    this.#addLink = database.prepare('INSERT INTO link VALUES (?, ?)')
  }

  /** What was wrong so far. */
  get faults(): readonly Fault[] {
    return this.#faults.list()
  }

  /** A row in the order of the columns of `rowsSql`. */
  add(row: Row): void {
    this.#faults.note(this.#add(cellsOf(row)))
  }

  /** Writes the index to `path`, a file that does not exist, without what `complete` adds. Blocks for some seconds a million rows. */
  write(path: string): IndexTotals {
    for (const refused of this.#places.finish()) this.#faults.note(refused)
    for (const refused of this.#objects.finish()) this.#faults.note(refused)
    const totals = writeIndex(this.#index, path)
    const entered = this.#index.database.prepare('SELECT count(DISTINCT ino) AS inos FROM main.dentry').get()
    const reached = totals.files + totals.folders - 1
    this.#faults.count('unreachable', (entered?.inos as number) - reached)
    return totals
  }

  /** Completes an index that was written, and found valid, by what format 1 does not have. */
  complete(path: string, rows: number, { files, folders, bytes }: IndexTotals): void {
    const { database } = this.#index
    if (database.isTransaction) database.exec('COMMIT')
    database.prepare('ATTACH ? AS final').run(path)
    database.exec('PRAGMA final.journal_mode = OFF; PRAGMA final.synchronous = OFF; BEGIN')
    for (const table of foreignTables) database.exec(table.replace('TABLE ', 'TABLE final.'))
    this.#objects.complete()
    const told = JSON.stringify(this.faults)
    database
      .prepare('INSERT INTO final.foreign_source VALUES (?, ?, ?, ?, ?)')
      .run(rows, files, folders, bytes, told)
    database.exec('COMMIT; DETACH final')
  }

  [Symbol.dispose](): void {
    this.#index[Symbol.dispose]()
  }

  #add(cells: MappedCells): Refusal | undefined {
    const mapped = mappedRow(cells, this.#mapping)
    if ('fault' in mapped) return refusal('not-understood', `${placeOf(cells)}: ${mapped.fault}`)
    const { inode, object, link } = mapped
    const id = object && this.#objects.add(object, inode.size)
    const whole = { ...inode, object: id }
    return this.#places.place(cells, whole, () => this.#inoOf(whole, link))
  }

  #inoOf(inode: Parameters<WorkingIndex['addInode']>[0], link: MappedRow['link']): number {
    if (link === undefined) return this.#index.addInode(inode)
    const known = this.#linkOf.get(link)
    if (known !== undefined) return known.ino as number
    const ino = this.#index.addInode(inode)
    this.#addLink.run(link, ino)
    return ino
  }
}

/** To name a row by. */
function placeOf({ path, name, id }: MappedCells): string {
  const named = path ?? name
  // Names may be bytes, which nobody reads as hex digits.
  if (named !== null && typeof named === 'object')
    return displayFileName(bytesOf(named)!.toString('latin1', 0, 200) as FileName)
  return (textOf(named) ?? textOf(id) ?? 'a row').slice(0, 200)
}
