import { constants } from 'node:fs'
import { type ChangeAnswer, changeRow, permissionsOf } from './dispatch-change-row.ts'
import { mapAnswer, type Row, servedRow } from './dispatch-row.ts'
import { FuseError } from './errno.ts'
import type { AskedMode, Entry, OpenMode } from './operations.ts'
import { CreateIn, OpenFlag, OpenIn, OpenOut, ReleaseIn } from './protocol.ts'

/**
 * Opening and closing. What can be changed is told of each open(2) and of its end, and keeps no table of handles for that: a handle (`fh`) is
 * the mode it was opened with.
 */
const writingHandle = 1

function handleOf({ writes }: OpenMode): number {
  return writes ? writingHandle : 0
}

export function modeOfHandle(fh: number): OpenMode {
  return { writes: fh === writingHandle }
}

/** Of the flags of open(2), which are numbered as on this machine. O_TRUNC comes as a SETATTR afterwards. */
function modeOfFlags({ flags }: { flags: number }): OpenMode {
  const accessMode = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR
  return { writes: (flags & accessMode) !== constants.O_RDONLY }
}

/** All changes come through the kernel that has the pages: they stay good from one open to the next. */
const keptFile = { openFlags: OpenFlag.KEEP_CACHE, backingId: 0 }
/** The kernel drops a folder's listing when it changes something in it. */
const keptFolder = { openFlags: OpenFlag.KEEP_CACHE | OpenFlag.CACHE_DIR, backingId: 0 }

function permissionsAskedOf({ mode, umask }: AskedMode): AskedMode {
  return { mode: permissionsOf(mode), umask }
}

interface Opened {
  readonly nodeid: number
  readonly mode: OpenMode
}

interface Created {
  readonly entry: Entry
  readonly mode: OpenMode
}

/** Without changes: once is enough, and the kernel sends no OPEN or RELEASE for the whole life of the mount. */
function refuseIfHandleless(handleless: boolean): void {
  if (handleless) throw new FuseError('ENOSYS')
}

const open = servedRow<Opened | undefined>('OPEN', {
  call: ({ operations: { changes }, handleless }, request) => {
    if (changes === undefined) {
      refuseIfHandleless(handleless)
      return undefined
    }
    const opened = { nodeid: request.nodeid, mode: modeOfFlags(request.body(OpenIn)) }
    return mapAnswer(changes.open(opened.nodeid, opened.mode, request), () => opened)
  },
  encode: (reply, opened, { unique }) =>
    reply.struct(unique, OpenOut, { fh: opened ? handleOf(opened.mode) : 0, ...keptFile }),
  takeBack: ({ operations }, opened) => opened && operations.changes?.close(opened.nodeid, opened.mode),
})

const release = servedRow('RELEASE', {
  call: ({ operations: { changes } }, request) =>
    changes?.close(request.nodeid, modeOfHandle(request.body(ReleaseIn).fh)),
  encode: (reply, _, { unique }) => reply.empty(unique),
})

const createdAnswer: ChangeAnswer<Created> = {
  encode: (reply, { entry, mode }, { unique }) =>
    reply.created(unique, entry, { fh: handleOf(mode), ...keptFile }),
  takeBack: ({ operations }, { entry, mode }) => {
    operations.changes?.close(entry.attr.ino, mode)
    operations.forget(entry.attr.ino, 1)
  },
}

const create = changeRow<Created>('CREATE', 'EROFS', {
  call: (changes, request) => {
    const asked = request.body(CreateIn)
    const mode = modeOfFlags(asked)
    const name = request.name(CreateIn.size)
    const entry = changes.create(request.nodeid, name, permissionsAskedOf(asked), mode, request)
    return mapAnswer(entry, (entry) => ({ entry, mode }))
  },
  ...createdAnswer,
})

const createUnnamed = changeRow<Created>('TMPFILE', 'EROFS', {
  call: (changes, request) => {
    const asked = request.body(CreateIn)
    const mode = modeOfFlags(asked)
    const entry = changes.createUnnamed(request.nodeid, permissionsAskedOf(asked), mode, request)
    return mapAnswer(entry, (entry) => ({ entry, mode }))
  },
  ...createdAnswer,
})

/** Folders have no state of their own while they are open. */
const openFolder = servedRow('OPENDIR', {
  call: ({ handleless }) => refuseIfHandleless(handleless),
  encode: (reply, _, { unique }) => reply.struct(unique, OpenOut, { fh: 0, ...keptFolder }),
})

const releaseFolder = servedRow('RELEASEDIR', {
  call: () => {},
  encode: (reply, _, { unique }) => reply.empty(unique),
})

export const openRows: readonly Row[] = [open, release, create, createUnnamed, openFolder, releaseFolder]
