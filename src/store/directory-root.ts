import { closeSync, openSync, readlinkSync, realpathSync } from 'node:fs'
import { type FileHandle, mkdir, open, realpath, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Abortable } from '../base/abort.ts'
import { codeOf, JbfsError, messageOf } from '../base/errors.ts'
import { flock, LibcError, type LockKind } from '../base/libc.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'

/** Begins the names of files that are being written; no part of a key begins so. */
export const temporaryPrefix = '.jbfs-tmp-'

/** Milliseconds between looks whether another process has let go of the folder. */
const lockPause = 5

/** Faults that trying again does not mend. */
const faults: Readonly<Record<string, readonly [StoreErrorCode, string]>> = {
  EACCES: ['access-denied', 'no permission'],
  EPERM: ['access-denied', 'no permission'],
  EROFS: ['read-only', 'the file system is read-only'],
  ENOTDIR: ['invalid', 'a part of the path is an object'],
  EEXIST: ['invalid', 'a part of the path is an object'],
  EISDIR: ['invalid', 'there are objects below it'],
  ENOTEMPTY: ['invalid', 'there are objects below it'],
  ENAMETOOLONG: ['invalid', 'the name is too long'],
}

/** The folder of a directory store: which paths are below it, and what its faults mean. Symlinks below it lead nowhere. */
export class DirectoryRoot {
  readonly path: string
  /** Where it really is, with a slash at its end; '' until it has been asked for. */
  #real = ''

  constructor(path: string) {
    this.path = resolve(path)
  }

  /** Throws `invalid` for a key that cannot be a path. */
  pathOf(key: string): string {
    if (!isPath(key))
      throw new StoreError('invalid', `${JSON.stringify(key)} cannot be a path in ${this.path}`)
    return join(this.path, key)
  }

  /** Throws `no-bucket` unless the folder is there. */
  async check(): Promise<void> {
    const stats = await stat(this.path).catch((error: unknown) => {
      if (!isAbsence(error)) throw this.failure(error, '')
      return undefined
    })
    if (stats?.isDirectory() !== true) throw new StoreError('no-bucket', `there is no folder ${this.path}`)
  }

  /** Whether keys can begin with `folder`, '' or a path with a slash at its end, that is there. */
  async hasFolder(folder: string): Promise<boolean> {
    await this.check()
    return folder === '' || (isPath(folder.slice(0, -1)) && (await this.holds(join(this.path, folder))))
  }

  /** Whether a path is that of an existing folder or file, without symlinks that lead out of the root. */
  async holds(path: string): Promise<boolean> {
    try {
      const real = withSlash(await realpath(path))
      return real.startsWith(withSlash(await realpath(this.path)))
    } catch (error) {
      if (isAbsence(error)) return false
      throw this.failure(error, '')
    }
  }

  /** As `holds`. O_NOFOLLOW looks at the last part of a path only, but what is open tells where it really is (proc(5)). */
  holdsOpen({ fd }: FileHandle): boolean {
    const path = readlinkSync(`/proc/self/fd/${fd}`)
    if (this.#real !== '' && path.startsWith(this.#real)) return true
    // The way to the root may hold symlinks, and these may be turned.
    this.#real = withSlash(realpathSync.native(this.path))
    return path.startsWith(this.#real)
  }

  /**
   * `exclusive` keeps other processes from changing anything there, until it is disposed of; `shared` keeps them from locking it so. Where
   * the file system knows no locks, or koffi is missing, only those of this process are kept out, by their own means.
   */
  async lock(kind: LockKind, { signal }: Abortable = {}): Promise<Disposable> {
    const fd = openSync(this.path, 'r')
    try {
      while (!flock(fd, kind)) await delay(lockPause, undefined, { signal })
    } catch (error) {
      if (signal?.aborted || !isLockless(error)) {
        closeSync(fd)
        throw error
      }
    }
    return { [Symbol.dispose]: () => closeSync(fd) }
  }

  /** Makes a folder and those above it up to the root; each is kept by a sync of the one it lies in. */
  async makeFolder(path: string): Promise<void> {
    if (path === this.path) return this.check()
    if (await this.holds(path)) return
    await this.makeFolder(dirname(path))
    try {
      // Backups hold mail and passwords.
      await mkdir(path, { mode: 0o700 })
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      // Another put was quicker, unless it is a symlink.
      if (!(await this.holds(path)))
        throw new StoreError('invalid', `${path} leads out of ${this.path}`, { cause: error })
    }
    await syncFolder(dirname(path))
  }

  /** Keys have no folders of their own: one that is empty now is gone, as in S3. Resolves with the first that stays. */
  async removeEmpty(path: string): Promise<string> {
    let folder = path
    try {
      for (; folder !== this.path; folder = dirname(folder)) await rmdir(folder)
    } catch {
      // Not empty, or not ours to remove.
    }
    return folder
  }

  /** What was removed from a folder does not come back after a loss of power. Where the folder is gone by now, that is written down above it. */
  async keepRemovals(path: string): Promise<void> {
    try {
      await syncFolder(path)
    } catch (error) {
      if (!isAbsence(error) || path === this.path) throw this.failure(error, '')
      await this.keepRemovals(dirname(path))
    }
  }

  failure(error: unknown, key: string): JbfsError {
    // The guard's own words: what a lease was lost for is not tried again.
    if (error instanceof JbfsError && !(error instanceof LibcError)) return error
    const at = key === '' ? this.path : `${this.path}/${key}`
    const [code, text] = faults[codeOf(error) ?? ''] ?? ['unavailable', messageOf(error)]
    return new StoreError(code, `${at}: ${text}`, { cause: error })
  }
}

/** Of open(2) and its like: there is no object, because a part of the path is missing, a file, a symlink, a socket or too long. */
export function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ENAMETOOLONG'].includes(codeOf(error) ?? '')
}

/** What flock(2) answers where there are no locks: NFS wants a file that is open for writing. */
function isLockless(error: unknown): boolean {
  return ['no-koffi', 'ENOLCK', 'ENOSYS', 'ENOTSUP', 'EBADF', 'EINVAL'].includes(codeOf(error) ?? '')
}

export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** Whether a key can be a path. Linux takes names of at most 255 bytes. */
function isPath(key: string): boolean {
  const parts = key.split('/')
  return (
    parts.every(
      (part) =>
        part !== '' &&
        part !== '.' &&
        part !== '..' &&
        Buffer.byteLength(part) <= 255 &&
        !part.startsWith(temporaryPrefix),
    ) && !key.includes('\0')
  )
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}
