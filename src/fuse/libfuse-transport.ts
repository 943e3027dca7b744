import { createRequire } from 'node:module'
import { setInterval } from 'node:timers'
import { messageOf } from '../base/errors.ts'
import { mountAt, mounts } from '../base/mountinfo.ts'
import { FuseError } from './errno.ts'
import { requireDevice, unmounterOf } from './mount.ts'
import { MountError } from './mount-error.ts'
import { fsnameOf } from './mount-options.ts'
import type { DirectorySink, Entry, RequestContext } from './operations.ts'
import type { Attr } from './protocol.ts'
import type { Mount, TransportOptions } from './transport.ts'

/**
 * The second transport: libfuse 2 through the package fuse-native, for systems where /dev/fuse cannot be served by jbfs itself. Its
 * interface is one of paths, with limits that `native-notes/fuse.md` lists: names must be UTF-8, times have
 * milliseconds and begin in 1970, hard links look like separate files, requests are not interruptible, listings come whole.
 */

type Callback = (error: number, ...result: unknown[]) => void

interface FuseNative {
  mount(callback: (error: Error | null) => void): void
}

type FuseNativeClass = new (
  mountpoint: string,
  operations: Record<string, (...args: never[]) => void>,
  options: Record<string, unknown>,
) => FuseNative

/** fuse-native does not say when somebody unmounts; the table of mounts does (milliseconds). */
const watchInterval = 250

/** Requests cannot be interrupted. */
const context: RequestContext = { signal: new AbortController().signal }

export async function mountOverLibfuse(options: TransportOptions): Promise<Mount> {
  const { mountpoint, source, allowOther, logger } = options
  if (options.fuseFd !== undefined)
    throw new MountError(
      'refused',
      'the libfuse transport opens /dev/fuse itself: --fuse-fd needs --transport kernel',
    )
  if (options.operations.changes !== undefined)
    throw new MountError(
      'refused',
      'the libfuse transport is for reading only: a mount that can be changed needs --transport kernel',
    )
  // fuse-native says of every failure only that there was one; libfuse opens the device with the rights of this user.
  requireDevice()
  const counts = new Map<string, number>()
  const Fuse = loadFuseNative()
  const fuse = new Fuse(mountpoint, operationsOf(options, counts), {
    timeout: false,
    allowOther,
    defaultPermissions: allowOther,
    fsname: fsnameOf(source),
    // fuse-native knows no option for these; it joins what it is given with commas.
    subtype: 'jbfs,ro,nosuid,nodev',
  })
  await new Promise<void>((resolve, reject) => {
    fuse.mount((error) => {
      if (error === null) resolve()
      else
        reject(
          new MountError('refused', `cannot mount at ${mountpoint}: ${messageOf(error)}`, { cause: error }),
        )
    })
  })
  logger.info(
    { transport: 'libfuse' },
    'names that are not UTF-8, nanoseconds and hard links are not shown as they are',
  )
  return {
    done: unmounted(mountpoint),
    unmount: unmounterOf(mountpoint),
    invalidateEntry: async () => false,
    invalidateInode: async () => false,
    counts: () => Object.fromEntries(counts),
  }
}

function loadFuseNative(): FuseNativeClass {
  try {
    return createRequire(import.meta.url)('fuse-native') as FuseNativeClass
  } catch (error) {
    const text = messageOf(error)
    const advice = text.includes('libfuse.so') ? ' (install libfuse 2; Debian: apt-get install libfuse2)' : ''
    throw new MountError('refused', `the npm package fuse-native cannot be loaded: ${text}${advice}`, {
      cause: error,
    })
  }
}

/** Resolves when what is mounted there now has left the table, whatever is mounted in its place later. */
export function unmounted(mountpoint: string, table = mounts): Promise<void> {
  const ours = mountAt(mountpoint, table())?.id
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (table().some(({ id }) => id === ours)) return
      clearInterval(timer)
      resolve()
    }, watchInterval)
  })
}

function operationsOf(
  { operations, toErrno }: TransportOptions,
  counts: Map<string, number>,
): Record<string, (...args: never[]) => void> {
  /** Walks down to `path` and does `work` there; gives the looked-up nodes back when it is done. */
  async function at<T>(path: string, work: (nodeid: number, attr: Attr) => Promise<T> | T): Promise<T> {
    const visited: number[] = []
    try {
      let { attr } = await operations.getattr(1, context)
      for (const name of path.split('/').filter((part) => part !== '')) {
        const entry = await operations.lookup(attr.ino, latin1Of(name), context)
        if (entry === undefined) throw new FuseError('ENOENT')
        visited.push(entry.attr.ino)
        attr = entry.attr
      }
      return await work(attr.ino, attr)
    } finally {
      for (const nodeid of visited) operations.forget(nodeid, 1)
    }
  }

  /** Runs one operation and answers by its callback, whatever happens; libfuse takes errors as negative numbers. */
  function answer(name: string, callback: Callback, work: () => Promise<unknown[]>): void {
    counts.set(name, (counts.get(name) ?? 0) + 1)
    work().then(
      (result) => callback(0, ...result),
      (error: unknown) => callback(-toErrno(error, name)),
    )
  }

  return {
    getattr: (path: string, callback: Callback) =>
      answer('GETATTR', callback, () => at(path, (_, attr) => [statOf(attr)])),
    readlink: (path: string, callback: Callback) =>
      answer('READLINK', callback, () =>
        at(path, async (nodeid) => [utf8Of(await operations.readlink(nodeid, context))]),
      ),
    readdir: (path: string, callback: Callback) =>
      answer('READDIR', callback, () =>
        at(path, async (nodeid) => {
          const listing = new WholeListing()
          await operations.readdir(nodeid, 0, listing, context)
          return [listing.names, listing.stats]
        }),
      ),
    open: (path: string, flags: number, callback: Callback) =>
      answer('OPEN', callback, () =>
        at(path, () => {
          if ((flags & 3) !== 0) throw new FuseError('EROFS')
          return [0]
        }),
      ),
    read: (
      path: string,
      _fd: number,
      buffer: Buffer,
      length: number,
      offset: number,
      callback: (read: number) => void,
    ) => {
      // The one operation whose callback takes a count, or a negative error, in a single number.
      answer(
        'READ',
        (error, read) => callback(error === 0 ? (read as number) : error),
        () =>
          at(path, async (nodeid) => {
            let filled = 0
            for (const piece of await operations.read(nodeid, offset, length, context)) {
              buffer.set(piece, filled)
              filled += piece.length
            }
            return [filled]
          }),
      )
    },
    statfs: (_path: string, callback: Callback) =>
      answer('STATFS', callback, async () => [{ ...operations.statfs(), namemax: 255 }]),
    getxattr: (path: string, name: string, _position: number, callback: Callback) =>
      answer('GETXATTR', callback, () =>
        at(path, async (nodeid) => {
          const value = await operations.getxattr(nodeid, latin1Of(name), context)
          if (value === undefined) throw new FuseError('ENODATA')
          return [Buffer.from(value)]
        }),
      ),
    listxattr: (path: string, callback: Callback) =>
      answer('LISTXATTR', callback, () =>
        at(path, async (nodeid) => [(await operations.listxattr(nodeid, context)).map(utf8Of)]),
      ),
  }
}

/** Collects a whole folder. Names that libfuse cannot carry are left out: they could not be opened under any other. */
class WholeListing implements DirectorySink {
  readonly names: string[] = []
  readonly stats: object[] = []

  add(name: string, _cookie: number, { attr }: Entry): 'added' {
    const text = utf8Of(name)
    if (latin1Of(text) === name) {
      this.names.push(text)
      this.stats.push(statOf(attr))
    }
    return 'added'
  }

  addHere(name: '.' | '..', _cookie: number, _nodeid: number): boolean {
    this.names.push(name)
    this.stats.push({})
    return true
  }
}

function statOf(attr: Attr): object {
  const millis = (seconds: number, nanoseconds: number): number =>
    Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1e6))
  return {
    ...attr,
    atime: millis(attr.atime, attr.atimensec),
    mtime: millis(attr.mtime, attr.mtimensec),
    ctime: millis(attr.ctime, attr.ctimensec),
  }
}

/** Names are bytes below (one code unit each) and UTF-8 text in fuse-native. */
function latin1Of(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function utf8Of(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
