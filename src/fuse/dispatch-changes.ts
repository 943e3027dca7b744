import { attributeChangesOf } from './attribute-changes.ts'
import { type ChangeAnswer, changeRow, permissionsOf } from './dispatch-change-row.ts'
import { modeOfHandle } from './dispatch-open.ts'
import { mapAnswer, type Row } from './dispatch-row.ts'
import { FuseError } from './errno.ts'
import type { AllocateKind, ChangedRange, ChangeOperations, Entry, RenameKind } from './operations.ts'
import {
  CopyFileRangeIn,
  CopyFileRangeOut,
  FallocateFlag,
  FallocateIn,
  FlushIn,
  InHeader,
  LinkIn,
  MkdirIn,
  MknodIn,
  Rename2In,
  RenameFlag,
  RenameIn,
  SetattrIn,
  SetxattrFlag,
  SetxattrIn,
  WriteFlag,
  WriteIn,
  WriteOut,
} from './protocol.ts'
import type { Request } from './request.ts'

/** The rows of requests that change something, but for those that open files too (`dispatch-open.ts`). */

const emptyAnswer: ChangeAnswer<void> = { encode: (reply, _, { unique }) => reply.empty(unique) }

const entryAnswer: ChangeAnswer<Entry> = {
  encode: (reply, entry, { unique }) => reply.entry(unique, entry),
  takeBack: ({ operations }, entry) => operations.forget(entry.attr.ino, 1),
}

/** Offsets are safe integers (`struct.ts`): behind them nothing is stored. */
function checkedRange(offset: number, length: number): ChangedRange {
  if (offset + length > Number.MAX_SAFE_INTEGER) throw new FuseError('EFBIG')
  return { offset, length }
}

const write = changeRow<number>('WRITE', 'EROFS', {
  call: (changes, request) => {
    const { offset, size, writeFlags } = request.body(WriteIn)
    checkedRange(offset, size)
    const bytes = request.bytesAt(InHeader.size + WriteIn.size, size)
    const clearSetuid = (writeFlags & WriteFlag.KILL_SUIDGID) !== 0
    return mapAnswer(changes.write(request.nodeid, offset, bytes, clearSetuid, request), () => size)
  },
  encode: (reply, size, { unique }) => reply.struct(unique, WriteOut, { size, padding: 0 }),
})

// An ENOSYS, without changes, is asked for once and means success to the kernel.
const flush = changeRow('FLUSH', 'ENOSYS', {
  call: (changes, request) => changes.flush(request.nodeid, modeOfHandle(request.body(FlushIn).fh), request),
  ...emptyAnswer,
})

const fsync = changeRow('FSYNC', 'ENOSYS', {
  call: (changes, request) => changes.fsync(request.nodeid, request),
  ...emptyAnswer,
})

const fsyncFolder = changeRow('FSYNCDIR', 'ENOSYS', {
  call: (changes, request) => changes.fsyncFolder(request.nodeid, request),
  ...emptyAnswer,
})

const setAttributes = changeRow('SETATTR', 'EROFS', {
  call: (changes, request) => {
    const attributes = attributeChangesOf(request.body(SetattrIn))
    checkedRange(attributes.size ?? 0, 0)
    return changes.setAttributes(request.nodeid, attributes, request)
  },
  encode: (reply, attributes, { unique }) => reply.attributes(unique, attributes),
})

const makeNode = changeRow('MKNOD', 'EROFS', {
  call: (changes, request) => {
    const { mode, umask, rdev } = request.body(MknodIn)
    const name = request.name(MknodIn.size)
    return changes.makeNode(request.nodeid, name, { mode, umask }, rdev, request)
  },
  ...entryAnswer,
})

const makeFolder = changeRow('MKDIR', 'EROFS', {
  call: (changes, request) => {
    const { mode, umask } = request.body(MkdirIn)
    const asked = { mode: permissionsOf(mode), umask }
    return changes.makeFolder(request.nodeid, request.name(MkdirIn.size), asked, request)
  },
  ...entryAnswer,
})

const makeSymlink = changeRow('SYMLINK', 'EROFS', {
  call: (changes, request) => {
    const [name, target] = request.nameAndTarget()
    return changes.makeSymlink(request.nodeid, name, target, request)
  },
  ...entryAnswer,
})

const link = changeRow('LINK', 'EROFS', {
  // The header has the folder that gets the name.
  call: (changes, request) => {
    const { oldnodeid } = request.body(LinkIn)
    return changes.link(oldnodeid, request.nodeid, request.name(LinkIn.size), request)
  },
  ...entryAnswer,
})

const unlink = changeRow('UNLINK', 'EROFS', {
  call: (changes, request) => changes.unlink(request.nodeid, request.name(), request),
  ...emptyAnswer,
})

const removeFolder = changeRow('RMDIR', 'EROFS', {
  call: (changes, request) => changes.removeFolder(request.nodeid, request.name(), request),
  ...emptyAnswer,
})

const rename = changeRow('RENAME', 'EROFS', {
  call: (changes, request) => {
    const [from, to] = request.names(RenameIn.size)
    const parent = request.body(RenameIn).newdir
    return changes.rename({ parent: request.nodeid, name: from }, { parent, name: to }, 'replace', request)
  },
  ...emptyAnswer,
})

const renameKinds: Readonly<Record<number, RenameKind>> = {
  0: 'replace',
  [RenameFlag.NOREPLACE]: 'keep',
  [RenameFlag.EXCHANGE]: 'exchange',
}

const rename2 = changeRow('RENAME2', 'EROFS', {
  call: (changes, request) => {
    const { newdir, flags } = request.body(Rename2In)
    const [from, to] = request.names(Rename2In.size)
    const how = renameKinds[flags]
    // RENAME_WHITEOUT is for the upper layer of an overlay.
    if (how === undefined) throw new FuseError('EINVAL')
    return changes.rename({ parent: request.nodeid, name: from }, { parent: newdir, name: to }, how, request)
  },
  ...emptyAnswer,
})

const allocateKinds: Readonly<Record<number, AllocateKind>> = {
  0: 'allocate',
  [FallocateFlag.KEEP_SIZE]: 'allocateKeepingSize',
  [FallocateFlag.PUNCH_HOLE | FallocateFlag.KEEP_SIZE]: 'punch',
  [FallocateFlag.ZERO_RANGE]: 'zero',
  [FallocateFlag.ZERO_RANGE | FallocateFlag.KEEP_SIZE]: 'zeroKeepingSize',
}

const allocate = changeRow('FALLOCATE', 'EROFS', {
  call: (changes, request) => {
    const { offset, length, mode } = request.body(FallocateIn)
    const how = allocateKinds[mode]
    if (how === undefined) throw new FuseError('EOPNOTSUPP')
    return changes.allocate(request.nodeid, checkedRange(offset, length), how, request)
  },
  ...emptyAnswer,
})

/** What the 32 bits of COPY_FILE_RANGE's answer can tell of, in whole pages as the kernel itself cuts it. */
const longestShortCopy = 0xffff_f000

function copyRange(
  changes: ChangeOperations,
  request: Request,
  longest: number,
): ReturnType<ChangeOperations['copyRange']> {
  const { offIn, nodeidOut, offOut, len, flags } = request.body(CopyFileRangeIn)
  if (flags !== 0) throw new FuseError('EINVAL')
  const length = Math.min(len, longest)
  const from = { nodeid: request.nodeid, offset: checkedRange(offIn, length).offset }
  const to = { nodeid: nodeidOut, offset: checkedRange(offOut, length).offset }
  return changes.copyRange(from, to, length, request)
}

// An ENOSYS, without changes, has the kernel copy by READ and WRITE.
const copyFileRange = changeRow<number>('COPY_FILE_RANGE', 'ENOSYS', {
  call: (changes, request) => copyRange(changes, request, longestShortCopy),
  encode: (reply, size, { unique }) => reply.struct(unique, WriteOut, { size, padding: 0 }),
})

const copyFileRange64 = changeRow<number>('COPY_FILE_RANGE_64', 'ENOSYS', {
  call: (changes, request) => copyRange(changes, request, Number.MAX_SAFE_INTEGER),
  encode: (reply, bytesCopied, { unique }) => reply.struct(unique, CopyFileRangeOut, { bytesCopied }),
})

const setxattrKinds: Readonly<Record<number, 'any' | 'create' | 'replace'>> = {
  0: 'any',
  [SetxattrFlag.CREATE]: 'create',
  [SetxattrFlag.REPLACE]: 'replace',
}

const setxattr = changeRow('SETXATTR', 'EROFS', {
  call: (changes, request) => {
    const { size, flags } = request.body(SetxattrIn)
    const how = setxattrKinds[flags]
    if (how === undefined) throw new FuseError('EINVAL')
    const [name, value] = request.nameAndBytes(SetxattrIn.size, size)
    // Of at most 64 KiB, and to be kept: a copy.
    return changes.setxattr(request.nodeid, name, Buffer.from(value), how, request)
  },
  ...emptyAnswer,
})

const removexattr = changeRow('REMOVEXATTR', 'EROFS', {
  call: (changes, request) => changes.removexattr(request.nodeid, request.name(), request),
  ...emptyAnswer,
})

export const changeRows: readonly Row[] = [
  write,
  flush,
  fsync,
  fsyncFolder,
  setAttributes,
  makeNode,
  makeFolder,
  makeSymlink,
  link,
  unlink,
  removeFolder,
  rename,
  rename2,
  allocate,
  copyFileRange,
  copyFileRange64,
  setxattr,
  removexattr,
]
