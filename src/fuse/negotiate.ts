import { InitFlag, type InitIn, type InitOut, protocolMajor, protocolMinor } from './protocol.ts'

/** Requests carry up to this many bytes of data: 256 pages, what `fs.fuse.max_pages_limit` allows by default. */
export const maxTransfer = 1 << 20

const pageSize = 4096

/**
 * Read-ahead requests the kernel keeps in flight (the default is 12). A store answers each only after tens of milliseconds, so this
 * bounds the throughput of one reader: 64 MiB read ahead at 100 ms a request gave 59 MiB/s with 12 and 230 with 64.
 */
const maxBackground = 64

/**
 * What every mount asks for; each bit is explained in `native-notes/fuse.md`. Not among them: READDIRPLUS_AUTO, with which
 * only the first part of a listing comes with attributes (`ls -l` on 20,000 files then makes 20,000 LOOKUPs).
 */
const wanted =
  InitFlag.ASYNC_READ |
  InitFlag.BIG_WRITES |
  InitFlag.DO_READDIRPLUS |
  InitFlag.ASYNC_DIO |
  InitFlag.PARALLEL_DIROPS |
  InitFlag.ABORT_ERROR |
  InitFlag.MAX_PAGES |
  InitFlag.CACHE_SYMLINKS

/** With both, a mount needs no OPEN and no OPENDIR. */
export const handlelessFlags = InitFlag.NO_OPEN_SUPPORT | InitFlag.NO_OPENDIR_SUPPORT

/** What cannot be changed needs no handles; what can be changed must hear of each OPEN and RELEASE. */
const wantedForReading = handlelessFlags
const wantedForChanges = InitFlag.HANDLE_KILLPRIV_V2 | InitFlag.DONT_MASK

export interface Wishes {
  /** Have the kernel enforce the ACLs in `system.posix_acl_*`, and with them all permissions. */
  readonly enforceAcls: boolean
  /** The filesystem can be changed. */
  readonly changes: boolean
}

/** The answer to INIT: what we want of what the kernel offers. */
export function negotiate(offer: InitIn, { enforceAcls, changes }: Wishes): InitOut {
  const minor = Math.min(offer.minor, protocolMinor)
  const flags =
    wanted | (changes ? wantedForChanges : wantedForReading) | (enforceAcls ? InitFlag.POSIX_ACL : 0)
  return {
    major: protocolMajor,
    minor,
    maxReadahead: offer.maxReadahead,
    // A kernel of a newer major takes only our number from this reply and asks again.
    flags: flags & offer.flags,
    maxBackground,
    congestionThreshold: (maxBackground * 3) / 4,
    maxWrite: maxTransfer,
    timeGran: 1,
    maxPages: maxTransfer / pageSize,
    mapAlignment: 0,
    flags2: 0,
    maxStackDepth: 0,
    requestTimeout: 0,
    unused0: 0,
    unused1: 0,
    unused2: 0,
    unused3: 0,
  }
}

/** A request never is longer than this: data of a WRITE and its headers, rounded up (the kernel wants 8 KiB at least). */
export const requestBufferSize = maxTransfer + pageSize
