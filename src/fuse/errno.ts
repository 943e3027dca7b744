import { JbfsError } from '../base/errors.ts'

/** Error numbers of Linux (`asm-generic/errno*.h`) that jbfs gives or meets. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EACCES: 13,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const
export type ErrnoName = keyof typeof Errno

/** What an operation throws to have the kernel told exactly this error number. */
export class FuseError extends JbfsError<ErrnoName> {
  override readonly name = 'FuseError'

  constructor(code: ErrnoName, options?: ErrorOptions) {
    super(code, code, options)
  }
}
