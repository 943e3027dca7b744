import { getSystemErrorMap } from 'node:util'
import { JbfsError } from './errors.ts'
import { loadLibc } from './koffi.ts'

/**
 * Calls of the C library that Node has not, each by its own name and manual page (section 2). Paths are the raw bytes of the name,
 * without the NUL that ends them in C; none follows a symlink at its end. Errors: `no-koffi`, else the errno's name as code. A fault
 * that is an expected answer is a value, as each function says. They block the thread, as the `Sync` functions of `node:fs` do.
 */

/** `code`: the errno's name. */
export class LibcError extends JbfsError {
  override readonly name = 'LibcError'
}

const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const RENAME_NOREPLACE = 1
const LOCK_SH = 1
const LOCK_EX = 2
const LOCK_NB = 4
const SEEK_DATA = 3
const SEEK_HOLE = 4

export const S_IFIFO = 0o010000
export const S_IFCHR = 0o020000

/** An instant as Linux keeps it: whole seconds since 1970, negative before, and 0 to 999,999,999 nanoseconds after that second. */
export interface Timespec {
  readonly seconds: number
  readonly nanoseconds: number
}

const declarations = {
  lgetxattr: 'int64_t lgetxattr(const void *path, const void *name, void *value, size_t size)',
  llistxattr: 'int64_t llistxattr(const void *path, void *list, size_t size)',
  lsetxattr: 'int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
  lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
  utimensat: 'int utimensat(int dirfd, const void *path, const void *times, int flags)',
  mknod: 'int mknod(const void *path, uint32_t mode, uint64_t dev)',
  lchown: 'int lchown(const void *path, uint32_t uid, uint32_t gid)',
  flock: 'int flock(int fd, int operation)',
  fallocate: 'int fallocate(int fd, int mode, int64_t offset, int64_t length)',
  renameat2:
    'int renameat2(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, unsigned int flags)',
} as const

type Name = keyof typeof declarations
type Call = (...args: unknown[]) => number | bigint

const bound = new Map<Name, Call>()
const errors = getSystemErrorMap()

/** The call's result; -1 becomes an error, or undefined where its errno is `expected`. */
function call(name: Name, args: readonly unknown[], expected?: string): number | undefined {
  const libc = loadLibc()
  let bind = bound.get(name)
  if (bind === undefined) {
    bind = libc.func(declarations[name])
    bound.set(name, bind)
  }
  const result = Number(bind(...args))
  if (result !== -1) return result
  const errno = libc.koffi.errno()
  const [code, text] = errors.get(-errno) ?? [`errno-${errno}`, 'unknown error']
  if (code === expected) return undefined
  throw new LibcError(code, `${code}: ${text}, ${name}`)
}

/** As C has it: bytes up to a NUL, which must therefore not be among them. */
function cString(bytes: Buffer): Buffer {
  if (bytes.includes(0)) throw new LibcError('EINVAL', 'a name or path holds a NUL byte')
  const terminated = Buffer.alloc(bytes.length + 1)
  terminated.set(bytes)
  return terminated
}

/** The largest value, and the largest list of names, that Linux keeps (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const xattrScratch = Buffer.alloc(65_536)

/** The value of one extended attribute, in a buffer of its own; undefined where the inode has no such attribute. */
export function lgetxattr(path: Buffer, name: Buffer): Buffer | undefined {
  const args = [cString(path), cString(name), xattrScratch, xattrScratch.length]
  const size = call('lgetxattr', args, 'ENODATA')
  return size === undefined ? undefined : Buffer.from(xattrScratch.subarray(0, size))
}

/** The names of the extended attributes; none on a file system that has no attributes. */
export function llistxattr(path: Buffer): Buffer[] {
  const size = call('llistxattr', [cString(path), xattrScratch, xattrScratch.length], 'ENOTSUP') ?? 0
  const names: Buffer[] = []
  for (let start = 0; start < size; ) {
    const end = xattrScratch.indexOf(0, start)
    names.push(Buffer.from(xattrScratch.subarray(start, end)))
    start = end + 1
  }
  return names
}

/** Makes or replaces an extended attribute. */
export function lsetxattr(path: Buffer, name: Buffer, value: Buffer): void {
  call('lsetxattr', [cString(path), cString(name), value, value.length, 0])
}

/** Where data next begins, at `offset` or behind it; undefined when only a hole, or nothing, follows. Moves the file's position. */
export function lseekData(fd: number, offset: number): number | undefined {
  return call('lseek', [fd, offset, SEEK_DATA], 'ENXIO')
}

/** Where a hole next begins, at `offset` or behind it; the file's end is one. Undefined when `offset` is not inside the file. */
export function lseekHole(fd: number, offset: number): number | undefined {
  return call('lseek', [fd, offset, SEEK_HOLE], 'ENXIO')
}

/** Sets the times of an inode, a symlink's own included. The file system may round them, or clamp them to what it can keep. */
export function utimensat(path: Buffer, accessed: Timespec, modified: Timespec): void {
  const times = new BigInt64Array(4)
  times[0] = BigInt(accessed.seconds)
  times[1] = BigInt(accessed.nanoseconds)
  times[2] = BigInt(modified.seconds)
  times[3] = BigInt(modified.nanoseconds)
  call('utimensat', [AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW])
}

/** Makes a FIFO with exactly the permissions that `mode` and the umask give. */
export function mkfifo(path: Buffer, mode: number): void {
  mknod(path, S_IFIFO | mode, 0, 0)
}

/** Makes a FIFO, socket or device; `mode` holds its type (`S_IFCHR`, …) and permissions, which the umask lessens. */
export function mknod(path: Buffer, mode: number, major: number, minor: number): void {
  call('mknod', [cString(path), mode, makeDevice(major, minor)])
}

/** Sets owner and group, of a symlink itself. Clears setuid and setgid, as chown(2) says: set the mode afterwards. */
export function lchown(path: Buffer, uid: number, gid: number): void {
  call('lchown', [cString(path), uid, gid])
}

/** Renames in one step, unless there is something of the new name: then false. Some file systems answer EINVAL: they cannot. */
export function renameat2(from: Buffer, to: Buffer): boolean {
  const args = [AT_FDCWD, cString(from), AT_FDCWD, cString(to), RENAME_NOREPLACE]
  return call('renameat2', args, 'EEXIST') !== undefined
}

const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2

/** Takes room on the disk for a part of a file, without changing its size. */
export function fallocate(fd: number, offset: number, length: number): void {
  call('fallocate', [fd, FALLOC_FL_KEEP_SIZE, offset, length])
}

/** Makes a part of a file a hole, without changing its size. */
export function punchHole(fd: number, offset: number, length: number): void {
  call('fallocate', [fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, length])
}

const lockOperations = { shared: LOCK_SH, exclusive: LOCK_EX } as const
export type LockKind = keyof typeof lockOperations

/**
 * Takes the lock of an open file, or folder, alone or with others who share it; false while somebody else's forbids that. It goes when
 * the descriptor is closed.
 */
export function flock(fd: number, kind: LockKind): boolean {
  return call('flock', [fd, lockOperations[kind] | LOCK_NB], 'EAGAIN') !== undefined
}

/** glibc's makedev (sys/sysmacros.h): twelve bits of the major number and eight of the minor below, the rest above. */
function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  )
}
