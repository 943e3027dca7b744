import { JbfsError } from './errors.ts'
import { loadLibc } from './koffi.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0x80000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_CMSG_CLOEXEC = 0x40000000

/** A pair of connected UNIX sockets, both closed on exec. The caller closes them. */
export function socketPair(): [number, number] {
  const socketpair = loadLibc().func('int socketpair(int, int, int, void*)')
  const pair = new Int32Array(2)
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0)
    throw new JbfsError('no-socket', 'cannot make a pair of sockets')
  return [pair[0] as number, pair[1] as number]
}

/**
 * Waits for one descriptor sent over `socket` as SCM_RIGHTS (unix(7)), which Node's own sockets drop. The structs are those of
 * 64-bit Linux: msghdr has 56 bytes, a control message with one descriptor 20, padded to 24.
 */
export function receiveDescriptor(socket: number): number {
  const { koffi, func } = loadLibc()
  const recvmsg = func('long recvmsg(int, void*, int)')
  const data = Buffer.alloc(1)
  const control = Buffer.alloc(24)
  const iovec = Buffer.alloc(16)
  iovec.writeBigUInt64LE(koffi.address(data), 0)
  iovec.writeBigUInt64LE(1n, 8)
  const message = Buffer.alloc(56)
  message.writeBigUInt64LE(koffi.address(iovec), 16)
  message.writeBigUInt64LE(1n, 24)
  message.writeBigUInt64LE(koffi.address(control), 32)
  message.writeBigUInt64LE(24n, 40)
  const received = Number(recvmsg(socket, message, MSG_CMSG_CLOEXEC))
  const isDescriptor =
    control.readBigUInt64LE(0) === 20n &&
    control.readInt32LE(8) === SOL_SOCKET &&
    control.readInt32LE(12) === SCM_RIGHTS
  if (received < 0 || !isDescriptor)
    throw new JbfsError('no-descriptor', 'no descriptor came over the socket')
  return control.readInt32LE(16)
}
