import { DirentPacker } from './dirent.ts'
import { Errno, type ErrnoName, FuseError } from './errno.ts'
import type { FuseOperations, MaybePromise } from './operations.ts'
import {
  BatchForgetIn,
  ForgetIn,
  ForgetOne,
  GetxattrIn,
  GetxattrOut,
  InHeader,
  InterruptIn,
  Kstatfs,
  LseekIn,
  LseekOut,
  Opcode,
  type OpcodeName,
  OpenFlag,
  OpenOut,
  ReadIn,
  Seek,
} from './protocol.ts'
import type { ReplyBuilder } from './reply.ts'
import type { Request } from './request.ts'

/** What rows need of the session they are served in. */
export interface DispatchContext {
  readonly operations: FuseOperations
  /** Seconds for which an absent name is remembered. */
  readonly negativeValid: number
  /** The kernel agreed to do without OPEN and OPENDIR (since Linux 5.1). */
  readonly handleless: boolean
  init(request: Request): void
  interrupt(unique: number): void
  /** A buffer of at least `size` bytes, the request's own until its reply is sent. */
  slab(size: number): Buffer
}

/**
 * How one opcode is served: `call` reads the request and asks the filesystem; `encode` makes the reply of what it answered.
 * A row without `call` is refused with `refusal`; one without `encode` gets no reply at all.
 */
export interface Row<V = unknown> {
  readonly name: OpcodeName
  readonly refusal: ErrnoName
  call?(context: DispatchContext, request: Request): MaybePromise<V>
  encode?(reply: ReplyBuilder, value: V, request: Request, context: DispatchContext): readonly Uint8Array[]
  /** The kernel did not get the reply: forgets the lookups it would have counted. */
  takeBack?(context: DispatchContext, value: V): void
}

const rows = new Map<number, Row>()

/** The row of an opcode; undefined for one this protocol version does not have. */
export function rowOf(opcode: number): Row | undefined {
  return rows.get(opcode)
}

function row<V>(name: OpcodeName, serve: Pick<Row<V>, 'call' | 'encode' | 'takeBack'>): void {
  rows.set(Opcode[name], { name, refusal: 'EIO', ...serve } as Row)
}

/** Opcodes that jbfs does not serve. ENOSYS makes the kernel do without and, for most, never ask again. */
function refuse(refusal: ErrnoName, ...names: OpcodeName[]): void {
  for (const name of names) rows.set(Opcode[name], { name, refusal })
}

row('INIT', { call: (context, request) => context.init(request) })

row('LOOKUP', {
  call: ({ operations }, request) => operations.lookup(request.nodeid, request.name(), request),
  encode: (reply, entry, { unique }, { negativeValid }) =>
    entry ? reply.entry(unique, entry) : reply.negativeEntry(unique, negativeValid),
  takeBack: ({ operations }, entry) => entry && operations.forget(entry.attr.ino, 1),
})

row('FORGET', {
  call: ({ operations }, request) => operations.forget(request.nodeid, request.body(ForgetIn).nlookup),
})

row('BATCH_FORGET', {
  call: ({ operations }, request) => {
    const { count } = request.body(BatchForgetIn)
    const first = InHeader.size + BatchForgetIn.size
    for (let i = 0; i < count; i++) {
      const { nodeid, nlookup } = request.structAt(ForgetOne, first + i * ForgetOne.size)
      operations.forget(nodeid, nlookup)
    }
  },
})

row('INTERRUPT', { call: (context, request) => context.interrupt(request.body(InterruptIn).unique) })

row('GETATTR', {
  call: ({ operations }, request) => operations.getattr(request.nodeid, request),
  encode: (reply, attributes, { unique }) => reply.attributes(unique, attributes),
})

row('READLINK', {
  call: ({ operations }, request) => operations.readlink(request.nodeid, request),
  encode: (reply, target, { unique }) => reply.payload(unique, [Buffer.from(target, 'latin1')]),
})

row('READ', {
  call: ({ operations }, request) => {
    const { offset, size } = request.body(ReadIn)
    return operations.read(request.nodeid, offset, size, request)
  },
  encode: (reply, pieces, { unique }) => reply.payload(unique, pieces),
})

function readdir(name: 'READDIR' | 'READDIRPLUS', plus: boolean): void {
  const takeBack = ({ operations }: DispatchContext, { counted }: DirentPacker): void => {
    for (const nodeid of counted) operations.forget(nodeid, 1)
  }
  row<DirentPacker>(name, {
    call: (context, request) => {
      const { offset, size } = request.body(ReadIn)
      const packer = new DirentPacker(context.slab(size), size, plus)
      const fail = (error: unknown): never => {
        takeBack(context, packer)
        throw error
      }
      try {
        const done = context.operations.readdir(request.nodeid, offset, packer, request)
        return done instanceof Promise ? done.then(() => packer, fail) : packer
      } catch (error) {
        return fail(error)
      }
    },
    encode: (reply, { bytes }, { unique }) => reply.payload(unique, [bytes]),
    takeBack,
  })
}
readdir('READDIR', false)
readdir('READDIRPLUS', true)

row('STATFS', {
  call: ({ operations }) => operations.statfs(),
  encode: (reply, value, { unique }) => reply.struct(unique, Kstatfs, value),
})

row<{ value: Uint8Array | undefined; size: number }>('GETXATTR', {
  call: ({ operations }, request) => {
    const { size } = request.body(GetxattrIn)
    const value = operations.getxattr(request.nodeid, request.name(GetxattrIn.size), request)
    return value instanceof Promise ? value.then((value) => ({ value, size })) : { value, size }
  },
  encode: (reply, { value, size }, { unique }) =>
    value === undefined ? reply.error(unique, Errno.ENODATA) : xattrReply(reply, unique, size, value),
})

row<{ names: readonly string[]; size: number }>('LISTXATTR', {
  call: ({ operations }, request) => {
    const { size } = request.body(GetxattrIn)
    const names = operations.listxattr(request.nodeid, request)
    return names instanceof Promise ? names.then((names) => ({ names, size })) : { names, size }
  },
  encode: (reply, { names, size }, { unique }) =>
    xattrReply(reply, unique, size, Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1')),
})

/** With size 0 the kernel asks how long the answer is, else for the answer itself. */
function xattrReply(
  reply: ReplyBuilder,
  unique: number,
  size: number,
  bytes: Uint8Array,
): readonly Uint8Array[] {
  if (size === 0) return reply.struct(unique, GetxattrOut, { size: bytes.length, padding: 0 })
  return bytes.length > size ? reply.error(unique, Errno.ERANGE) : reply.payload(unique, [bytes])
}

row('LSEEK', {
  call: ({ operations }, request) => {
    const { offset, whence } = request.body(LseekIn)
    if (whence !== Seek.DATA && whence !== Seek.HOLE) throw new FuseError('EINVAL')
    return operations.lseek(request.nodeid, offset, whence === Seek.DATA ? 'data' : 'hole', request)
  },
  encode: (reply, offset, { unique }) =>
    offset === undefined ? reply.error(unique, Errno.ENXIO) : reply.struct(unique, LseekOut, { offset }),
})

function open(name: 'OPEN' | 'OPENDIR', openFlags: number): void {
  row(name, {
    call: ({ handleless }) => {
      // Once is enough: the kernel then sends no OPEN or RELEASE for the whole life of the mount.
      if (handleless) throw new FuseError('ENOSYS')
    },
    encode: (reply, _, { unique }) => reply.struct(unique, OpenOut, { fh: 0, openFlags, backingId: 0 }),
  })
}
open('OPEN', OpenFlag.KEEP_CACHE)
open('OPENDIR', OpenFlag.KEEP_CACHE | OpenFlag.CACHE_DIR)

function release(name: 'RELEASE' | 'RELEASEDIR'): void {
  row(name, { call: () => {}, encode: (reply, _, { unique }) => reply.empty(unique) })
}
release('RELEASE')
release('RELEASEDIR')

refuse('ENOSYS', 'FLUSH', 'FSYNC', 'FSYNCDIR')
refuse('ENOSYS', 'ACCESS', 'POLL', 'BMAP', 'STATX', 'GETLK', 'SETLK', 'SETLKW', 'DESTROY', 'NOTIFY_REPLY')
refuse('ENOSYS', 'SETUPMAPPING', 'REMOVEMAPPING', 'SYNCFS', 'COPY_FILE_RANGE', 'COPY_FILE_RANGE_64')
refuse('ENOTTY', 'IOCTL')
// The mount is `-o ro`, so the kernel refuses these itself; this is for whoever reaches the daemon all the same.
refuse('EROFS', 'SETATTR', 'SYMLINK', 'MKNOD', 'MKDIR', 'UNLINK', 'RMDIR', 'RENAME', 'RENAME2', 'LINK')
refuse('EROFS', 'WRITE', 'CREATE', 'TMPFILE', 'SETXATTR', 'REMOVEXATTR', 'FALLOCATE')
