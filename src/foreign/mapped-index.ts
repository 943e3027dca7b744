import type { StatementSync } from 'node:sqlite'
import { formatByteSize } from '../base/byte-size.ts'
import { displayFileName } from '../snapshot/file-name.ts'
import type { FileName } from '../snapshot/tree.ts'
import { type NewInode, WorkingIndex } from '../snapshot/working-index.ts'
import { type IndexTotals, writeIndex } from '../snapshot/write-index.ts'
import { bytesOf, textOf } from './cells.ts'
import { ForeignError } from './errors.ts'
import { type Fault, Faults, type Refusal, refusal } from './faults.ts'
import { foreignTables } from './foreign-tables.ts'
import { MappedObjects } from './mapped-objects.ts'
import { cellsOf, type MappedCells, mappedRow } from './mapped-row.ts'
import { type Mapping, shapeOf } from './mapping.ts'
import { ParentPlaces } from './parent-places.ts'
import { PathPlaces, untoldFolder } from './path-places.ts'
import type { Row } from './query-protocol.ts'

/** Bytes of what is not put together yet; an index has some 220 MB for a million files. */
const largestWork = 64 * 2 ** 30
const pageSize = 4096

/** SQLite's code for no room, whether on the disk or within a limit. */
const full = 13

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
  constructor(path: string, mapping: Mapping, { largest = largestWork }: { readonly largest?: number } = {}) {
    this.#mapping = mapping
    this.#index = new WorkingIndex(path)
    const { database } = this.#index
    // Rows mostly come folder by folder: with four times as much it is no faster.
    database.exec(`PRAGMA cache_size = -16384; PRAGMA max_page_count = ${Math.floor(largest / pageSize)}`)
    this.#index.addInode(untoldFolder)
    this.#objects = new MappedObjects(database)
    this.#places = new (shapeOf(mapping) === 'paths' ? PathPlaces : ParentPlaces)(this.#index)
    database.exec('CREATE TABLE link (name TEXT PRIMARY KEY, ino INTEGER, content TEXT) WITHOUT ROWID')
    this.#linkOf = database.prepare('SELECT ino, content FROM link WHERE name = ?')
    this.#addLink = database.prepare('INSERT INTO link VALUES (?, ?, ?)')
  }

  /** What was wrong so far. */
  get faults(): readonly Fault[] {
    return this.#faults.list()
  }

  /** A row in the order of the columns of `rowsSql`. Throws `query-limit` when there is no room for more. */
  add(row: Row): void {
    try {
      this.#faults.note(this.#add(cellsOf(row)))
    } catch (error) {
      if (!(error instanceof Error && 'errcode' in error && error.errcode === full)) throw error
      throw new ForeignError(
        'query-limit',
        `its rows need more than ${formatByteSize(largestWork)}, or the disk is full`,
        { cause: error },
      )
    }
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
    if (link === undefined) return this.#places.place(cells, whole, () => this.#index.addInode(whole))
    const content = contentOf(whole)
    const linked = this.#linkOf.get(link)
    // Inodes of several disks may have one number: what is not the same content is no link.
    if (linked !== undefined && linked.content !== content) return refusal('links-disagree', placeOf(cells))
    const inoOf = (): number => (linked?.ino as number | undefined) ?? this.#addLinked(whole, link, content)
    return this.#places.place(cells, whole, inoOf)
  }

  #addLinked(inode: NewInode, link: string, content: string): number {
    const ino = this.#index.addInode(inode)
    this.#addLink.run(link, ino, content)
    return ino
  }
}

/** What hard links of one file have in common. */
function contentOf({ mode, size, object, target }: NewInode): string {
  return JSON.stringify([mode & 0o170000, size, object, target])
}

/** To name a row by. */
function placeOf({ path, name, id }: MappedCells): string {
  const named = path ?? name
  // Names may be bytes, which nobody reads as hex digits.
  if (named !== null && typeof named === 'object')
    return displayFileName(bytesOf(named)!.toString('latin1', 0, 200) as FileName)
  return (textOf(named) ?? textOf(id) ?? 'a row').slice(0, 200)
}
