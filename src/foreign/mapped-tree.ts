import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { IndexTree, type IndexTreeOptions, openIndex } from '../snapshot/index-tree.ts'
import type {
  Dentry,
  Extent,
  FileName,
  Ino,
  Inode,
  ObjectRef,
  OwnInode,
  OwnObjectRef,
  Tree,
} from '../snapshot/tree.ts'
import type { IndexTotals } from '../snapshot/write-index.ts'
import { objectKey } from '../store/object-store.ts'
import type { Fault } from './faults.ts'

/** Rows of foreign tables, and why some of them are not in the tree. */
export interface MappedSource extends IndexTotals {
  readonly rows: number
  readonly faults: readonly Fault[]
}

/** A snapshot that something else wrote, as a mapping makes an index of it (`MappedIndex`): a tree as any other, but for what its objects are called, and how they are stored. */
export class MappedTree implements Tree {
  readonly root: Ino
  readonly #index: IndexTree
  readonly #repository: string
  readonly #object: StatementSync
  readonly #source: StatementSync

  private constructor(index: IndexTree, repository: string, database: DatabaseSync) {
    this.root = index.root
    this.#index = index
    this.#repository = repository
    this.#object = database.prepare('SELECT key, gzip, sha256 FROM foreign_object WHERE id = ?')
    this.#source = database.prepare('SELECT * FROM foreign_source')
  }

  /** Opens the index at `path`, which nobody changes. Throws SQLite's own error when it is none. */
  static open(path: string, repository: string, options?: IndexTreeOptions): MappedTree {
    const database = openIndex(path)
    const index = new IndexTree(database, repository, options)
    return new MappedTree(index, repository, database)
  }

  /** What it was made of. */
  get source(): MappedSource {
    const row = this.#index.reading(() => this.#source.get())
    return {
      rows: Number(row?.row_count),
      files: Number(row?.files),
      folders: Number(row?.folders),
      bytes: Number(row?.bytes),
      faults: JSON.parse(String(row?.faults)),
    }
  }

  inode(ino: Ino): Inode | undefined {
    return this.#optional(this.#index.inode(ino))
  }

  lookup(parent: Ino, name: FileName): Inode | undefined {
    return this.#optional(this.#index.lookup(parent, name))
  }

  *entries(parent: Ino, position: number): Iterable<Dentry> {
    for (const { inode, ...dentry } of this.#index.entries(parent, position))
      yield { ...dentry, inode: this.#foreign(inode) }
  }

  parentOf(folder: Ino): Ino {
    return this.#index.parentOf(folder)
  }

  extents(ino: Ino, offset: number): Iterable<Extent> {
    return this.#index.extents(ino, offset)
  }

  xattr(ino: Ino, name: string): Buffer | undefined {
    return this.#index.xattr(ino, name)
  }

  xattrNames(ino: Ino): readonly string[] {
    return this.#index.xattrNames(ino)
  }

  filesAfter(ino: Ino, count: number): readonly Inode[] {
    return this.#index.filesAfter(ino, count).map((inode) => this.#foreign(inode))
  }

  *objects(): Iterable<ObjectRef> {
    for (const object of this.#index.objects()) yield this.#foreignObject(object)
  }

  [Symbol.dispose](): void {
    this.#index[Symbol.dispose]()
  }

  #optional(inode: OwnInode | undefined): Inode | undefined {
    return inode && this.#foreign(inode)
  }

  #foreign(inode: OwnInode): Inode {
    const { object } = inode
    return object === undefined ? inode : { ...inode, object: this.#foreignObject(object) }
  }

  #foreignObject({ id, size }: OwnObjectRef): ObjectRef {
    const row = this.#index.reading(() => this.#object.get(Buffer.from(id, 'hex')))
    const key = String(row?.key)
    const sha256 = row?.sha256
    return {
      id: key.slice(key.lastIndexOf('/') + 1),
      key: objectKey(this.#repository + key),
      size,
      sha256: sha256 instanceof Uint8Array ? Buffer.from(sha256) : undefined,
      packing: row?.gzip === 1 ? 'gzip' : undefined,
    }
  }
}
