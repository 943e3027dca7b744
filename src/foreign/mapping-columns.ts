import type { MappingShape } from './mapping.ts'

export interface MappingColumn {
  /** Goes on from "SQL for ". */
  readonly describe: string
  readonly neededBy: readonly MappingShape[]
}

const both: readonly MappingShape[] = ['paths', 'parents']

/** What a row may tell of an inode, in the order in which it is selected. NULL says that it does not. */
export const columns = {
  path: { describe: 'the whole path in the snapshot, with or without / before it', neededBy: ['paths'] },
  id: { describe: 'the id by which other rows name this one as their parent', neededBy: ['parents'] },
  parent: {
    describe:
      'the id of the folder that it is in: of none at the top, where it may be NULL, 0, -1 or its own',
    neededBy: ['parents'],
  },
  name: { describe: 'the name in that folder', neededBy: ['parents'] },
  type: {
    describe:
      'the kind of file; without it mode says it, else a / at the end of the path, a target, or whether there is an object or a size',
    neededBy: [],
  },
  mode: { describe: 'the permissions, with or without the bits of the type', neededBy: [] },
  uid: { describe: 'the number of its user', neededBy: [] },
  gid: { describe: 'the number of its group', neededBy: [] },
  size: { describe: 'the bytes of the file, before its object was compressed', neededBy: both },
  mtime: { describe: 'the time of its last change', neededBy: [] },
  ctime: { describe: 'the time of the last change of its attributes; mtime without it', neededBy: [] },
  target: { describe: 'the target of a symlink', neededBy: [] },
  object: {
    describe: 'its object: the key below the repository, or, without any slash, the name in files/',
    neededBy: both,
  },
  encoding: { describe: 'how the object is packed: gzip, or plain, which is also NULL', neededBy: [] },
  sha256: { describe: 'the SHA-256 of the file: 64 hex digits or 32 bytes', neededBy: [] },
  inode: { describe: 'what is the same in rows that are hard links of one file', neededBy: [] },
} as const satisfies Record<string, MappingColumn>

export type ColumnName = keyof typeof columns

export const columnNames = Object.keys(columns) as ColumnName[]

export function isColumnName(name: string): name is ColumnName {
  return Object.hasOwn(columns, name)
}
