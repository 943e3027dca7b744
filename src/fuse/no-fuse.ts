import { MountError } from './mount-error.ts'

/** For a system on which mounting cannot go well, with what to do. `code`: that of the failure to open /dev/fuse. */
export function noDevice(code: string | undefined, cause?: unknown): MountError {
  const advice =
    code === 'ENOENT'
      ? 'there is none: modprobe fuse; in a container, give it --device /dev/fuse'
      : code === 'EACCES' || code === 'EPERM'
        ? 'no permission: run this as root, or allow it to this user (chmod 666 /dev/fuse; in a container, ' +
          '--device /dev/fuse)'
        : `${code ?? 'unknown error'}: is the kernel module loaded? (modprobe fuse)`
  return new MountError('no-fuse', `cannot open /dev/fuse: ${advice}`, { cause })
}

/** For a user who is not root. */
export function noFusermount(cause?: unknown): MountError {
  return new MountError(
    'no-fuse',
    'a user who is not root needs fusermount3 to mount: install it (package fuse3), or run this as root',
    { cause },
  )
}
