import { chmodSync, lstatSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs'
import { codeOf, JbfsError, messageOf } from '../base/errors.ts'
import {
  lchown,
  lgetxattr,
  lsetxattr,
  mkfifo,
  mknod,
  S_IFCHR,
  type Timespec,
  utimensat,
} from '../base/libc.ts'
import type { HardCase } from './hard-case.ts'
import { namedAcl } from './posix-acl.ts'
import type { TreeWriter } from './tree-writer.ts'

/** Ids that hardly any machine has names for, the last of them above 2³¹. */
const foreignIds = [1_001, 65_534, 3_000_000_000] as const

const everyByte = Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index))

/** What an inode has besides its data. */
export const inodeCases: readonly HardCase[] = [
  {
    name: 'fifo',
    make: (tree, { created }) => {
      mkfifo(tree.at('fifo'), 0o640)
      chmodSync(tree.at('fifo'), 0o640)
      utimesSync(tree.at('fifo'), created, created)
    },
  },
  {
    name: 'character-device',
    make: (tree, { created }) => {
      // The numbers of /dev/null.
      mknod(tree.at('null'), S_IFCHR | 0o666, 1, 3)
      chmodSync(tree.at('null'), 0o666)
      utimesSync(tree.at('null'), created, created)
    },
  },
  {
    name: 'modes',
    make: (tree, { created: modified }) => {
      for (const mode of [0o4755, 0o2755, 0o1644, 0o6711, 0o600, 0o400, 0o444, 0o777]) {
        tree.file(tree.at(`file-${mode.toString(8)}`), mode.toString(8), { mode, modified })
        expectMode(tree.at(`file-${mode.toString(8)}`), mode)
      }
      for (const mode of [0o1777, 0o2775, 0o700]) {
        tree.folder(tree.at(`folder-${mode.toString(8)}`), { mode, modified })
        expectMode(tree.at(`folder-${mode.toString(8)}`), mode)
      }
    },
  },
  {
    name: 'owners',
    make: (tree, { created: modified }) => {
      for (const id of foreignIds) {
        tree.file(tree.at(`file-${id}`), '', { modified })
        tree.folder(tree.at(`folder-${id}`), { modified })
        tree.symlink(tree.at(`symlink-${id}`), `file-${id}`, modified)
        for (const kind of ['file', 'folder', 'symlink']) lchown(tree.at(`${kind}-${id}`), id, id)
      }
      tree.file(tree.at('user-and-group-differ'), '', { modified })
      lchown(tree.at('user-and-group-differ'), foreignIds[0], 12)
    },
  },
  {
    name: 'nanoseconds',
    make: (tree, { created }) =>
      timed(tree, [
        ['one', { seconds: created, nanoseconds: 1 }],
        ['all', { seconds: created - 1, nanoseconds: 999_999_999 }],
        ['some', { seconds: created, nanoseconds: 123_456_789 }],
      ]),
  },
  {
    name: 'before-1970',
    make: (tree) =>
      timed(tree, [
        ['a-nanosecond', { seconds: -1, nanoseconds: 999_999_999 }],
        ['a-second', { seconds: -1, nanoseconds: 0 }],
        ['1909', { seconds: -1_924_992_000, nanoseconds: 500_000_000 }],
      ]),
  },
  {
    name: 'after-2038',
    make: (tree) =>
      timed(tree, [
        ['2038', { seconds: 2 ** 31, nanoseconds: 0 }],
        ['2106', { seconds: 2 ** 32, nanoseconds: 250_000_000 }],
      ]),
  },
  { name: 'xattrs', make: (tree, { created }) => userAttributes(tree, created) },
  {
    name: 'xattr-large',
    make: (tree, { created: modified }) => {
      tree.file(tree.at('file'), '', { modified })
      // Still fits where a file system gives the attributes of an inode one block of 4 KiB.
      setAttribute(tree.at('file'), Buffer.from('user.large'), Buffer.alloc(3_500, everyByte))
    },
  },
  {
    name: 'xattr-name-not-utf8',
    make: (tree, { created: modified }) => {
      tree.file(tree.at('file'), '', { modified })
      setAttribute(tree.at('file'), Buffer.from('user.caf\xe9', 'latin1'), Buffer.from([0xe9]))
    },
  },
  {
    name: 'xattrs-trusted',
    make: (tree, { created: modified }) => {
      tree.file(tree.at('file'), '', { modified })
      tree.symlink(tree.at('symlink'), 'file', modified)
      for (const name of ['file', 'symlink'])
        setAttribute(tree.at(name), Buffer.from('trusted.jbfs.sample'), everyByte)
    },
  },
  {
    name: 'posix-acls',
    make: (tree, { created: modified }) => {
      tree.file(tree.at('file'), 'rw for one more user', { mode: 0o660, modified })
      setAttribute(tree.at('file'), Buffer.from('system.posix_acl_access'), namedAcl(0o6, 0o6))
      tree.folder(tree.at('folder'), { mode: 0o770, modified })
      setAttribute(tree.at('folder'), Buffer.from('system.posix_acl_access'), namedAcl(0o7, 0o7))
      setAttribute(tree.at('folder'), Buffer.from('system.posix_acl_default'), namedAcl(0o7, 0o5))
    },
  },
]

function userAttributes(tree: TreeWriter, modified: number): void {
  tree.file(tree.at('file'), 'attributed', { modified })
  tree.folder(tree.at('folder'), { modified })
  for (const name of ['file', 'folder']) {
    setAttribute(tree.at(name), Buffer.from('user.binary'), everyByte)
    setAttribute(tree.at(name), Buffer.from('user.empty'), Buffer.alloc(0))
    setAttribute(tree.at(name), Buffer.from('user.mime_type'), Buffer.from('text/plain'))
  }
  tree.file(tree.at('many'), '', { modified })
  for (let number = 0; number < 30; number++)
    setAttribute(tree.at('many'), Buffer.from(`user.number.${number}`), Buffer.from([number]))
}

/** A file, a folder and a symlink with each of the times. */
function timed(tree: TreeWriter, times: readonly (readonly [string, Timespec])[]): void {
  for (const [name, time] of times) {
    const [file, folder, symlink] = [
      tree.at(`file-${name}`),
      tree.at(`folder-${name}`),
      tree.at(`symlink-${name}`),
    ]
    tree.file(file, '', { modified: 0 })
    mkdirSync(folder)
    chmodSync(folder, 0o755)
    tree.count(folder)
    symlinkSync(`file-${name}`, symlink)
    for (const path of [file, folder, symlink]) setTime(path, time)
  }
}

/** Sets both times, and looks whether the file system kept them as they are. */
function setTime(path: Buffer, time: Timespec): void {
  utimensat(path, time, time)
  const kept = lstatSync(path, { bigint: true }).mtimeNs
  const wanted = BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds)
  if (kept !== wanted)
    throw new JbfsError('not-kept', `the time is not kept here: ${wanted} ns became ${kept} ns`)
}

/** Linux drops setuid and setgid in silence where they are not allowed. */
function expectMode(path: Buffer, mode: number): void {
  const kept = lstatSync(path).mode & 0o7777
  if (kept !== mode)
    throw new JbfsError(
      'not-kept',
      `the mode is not kept here: ${mode.toString(8)} became ${kept.toString(8)}`,
    )
}

/** Sets an attribute, and looks whether the file system kept its value. */
function setAttribute(path: Buffer, name: Buffer, value: Buffer): void {
  const notKept = `the attribute ${name.toString('latin1')} is not kept here`
  try {
    lsetxattr(path, name, value)
  } catch (error) {
    // So ext4 and others say that there is no room for it in the inode, not on the disk.
    if (codeOf(error) !== 'ENOSPC' && codeOf(error) !== 'E2BIG') throw error
    throw new JbfsError('not-kept', `${notKept}: ${messageOf(error)}`, { cause: error })
  }
  if (lgetxattr(path, name)?.equals(value) !== true) throw new JbfsError('not-kept', notKept)
}
