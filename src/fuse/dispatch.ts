import { DirentPacker } from './dirent.ts'
import { changeRows } from './dispatch-changes.ts'
import { openRows } from './dispatch-open.ts'
import { type DispatchContext, mapAnswer, type Row, servedRow } from './dispatch-row.ts'
import { Errno, type ErrnoName, FuseError } from './errno.ts'
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
  ReadIn,
  Seek,
} from './protocol.ts'
import type { ReplyBuilder } from './reply.ts'

const rows = new Map<number, Row>()

/** The row of an opcode; undefined for one this protocol version does not have. */
export function rowOf(opcode: number): Row | undefined {
  return rows.get(opcode)
}

function add(row: Row): void {
  rows.set(Opcode[row.name], row)
}

function row<V>(name: OpcodeName, serve: Pick<Row<V>, 'call' | 'encode' | 'takeBack'>): void {
  add(servedRow(name, serve))
}

/** Opcodes that jbfs does not serve. ENOSYS makes the kernel do without and, for most, never ask again. */
function refuse(refusal: ErrnoName, ...names: OpcodeName[]): void {
  for (const name of names) add({ name, refusal })
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
    return mapAnswer(value, (value) => ({ value, size }))
  },
  encode: (reply, { value, size }, { unique }) =>
    value === undefined ? reply.error(unique, Errno.ENODATA) : xattrReply(reply, unique, size, value),
})

row<{ names: readonly string[]; size: number }>('LISTXATTR', {
  call: ({ operations }, request) => {
    const { size } = request.body(GetxattrIn)
    const names = operations.listxattr(request.nodeid, request)
    return mapAnswer(names, (names) => ({ names, size }))
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

for (const row of openRows) add(row)
for (const row of changeRows) add(row)

refuse('ENOSYS', 'ACCESS', 'POLL', 'BMAP', 'STATX', 'GETLK', 'SETLK', 'SETLKW', 'DESTROY', 'NOTIFY_REPLY')
refuse('ENOSYS', 'SETUPMAPPING', 'REMOVEMAPPING', 'SYNCFS')
refuse('ENOTTY', 'IOCTL')
