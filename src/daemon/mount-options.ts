import { isAbsolute } from 'node:path'
import { JbfsError } from '../base/errors.ts'
import type { Destination } from '../destination/parse-destination.ts'
import type { Mapping } from '../foreign/mapping.ts'
import { type LogLevel, logLevels } from './logging.ts'

export const transports = ['kernel', 'libfuse'] as const
export type TransportName = (typeof transports)[number]

/** All that decides how a mount is made and served; its keys print redacted. */
export interface MountOptions {
  readonly destination: Destination
  /** Absolute and canonical. */
  readonly mountpoint: string
  readonly readOnly: boolean
  /** The keys of the destination instead of its snapshots. */
  readonly raw: boolean
  /** How snapshots that something else wrote become trees; the mount is for reading only then. */
  readonly mapping?: Mapping | undefined
  readonly allowOther: boolean
  readonly transport: TransportName
  /** Bytes of file content kept in memory. */
  readonly memoryBytes: number
  /** Bytes of file content kept below `cacheDir`; 0 for none. */
  readonly diskCacheBytes: number
  /** Absolute. File indexes are kept here too. */
  readonly cacheDir: string
  /** Absolute. Who this server is, and what is written and not yet published. */
  readonly stateDir: string
  /** Bytes below `stateDir` of what is written and not in the store yet. */
  readonly stagingBytes: number
  /** The command line that mounts the same for writing again, for advice. */
  readonly mountAgain: string
  /** Name and version of the program, as manifests and the lease have it. */
  readonly writer: string
  /** Seconds between looks for new snapshots; 0 for never. */
  readonly refreshSeconds: number
  /** Absolute path of the socket on which `jbfs status` asks. */
  readonly controlSocket: string
  readonly logLevel: LogLevel
  /** Absolute; undefined for standard error. */
  readonly logFile?: string | undefined
  /** An open /dev/fuse on which somebody else has already done mount(2). */
  readonly fuseFd?: number | undefined
}

export const mountDefaults = Object.freeze({
  readOnly: true,
  raw: false,
  allowOther: false,
  transport: 'kernel',
  /** Holds two windows of 64 MiB for large files and leaves as much for small ones. */
  memoryBytes: 256 * 1024 ** 2,
  diskCacheBytes: 0,
  stagingBytes: 10 * 1024 ** 3,
  refreshSeconds: 60,
  logLevel: 'info',
} as const) satisfies Partial<MountOptions>

/** Below this a single large file read would push out its own read-ahead. */
const leastMemoryBytes = 16 * 1024 ** 2

/** Below this there is no room for the parts of a few large files. */
const leastStagingBytes = 64 * 1024 ** 2

/** Timers count milliseconds in 31 bits; with more they do not wait at all. */
const longestRefreshSeconds = Math.floor((2 ** 31 - 1) / 1000)

/** Completes and checks options. Throws `JbfsError` with code `bad-option` and the one line to show. */
export function mountOptions(
  given: Partial<MountOptions> &
    Pick<
      MountOptions,
      'destination' | 'mountpoint' | 'cacheDir' | 'stateDir' | 'mountAgain' | 'writer' | 'controlSocket'
    >,
): MountOptions {
  const options: MountOptions = { ...mountDefaults, ...given }
  for (const path of [
    options.mountpoint,
    options.cacheDir,
    options.stateDir,
    options.controlSocket,
    options.logFile,
  ])
    require(path === undefined || isAbsolute(path), `${path} is no absolute path`)
  require(transports.includes(options.transport), `--transport is one of ${transports.join(', ')}`)
  require(logLevels.includes(options.logLevel), `--log-level is one of ${logLevels.join(', ')}`)
  require(isCount(options.memoryBytes) &&
    options.memoryBytes >= leastMemoryBytes, '--memory is a size of at least 16M')
  require(isCount(options.diskCacheBytes), '--disk-cache is a size, or 0 for none')
  require(isCount(options.stagingBytes) &&
    options.stagingBytes >= leastStagingBytes, '--staging is a size of at least 64M')
  require(isCount(options.refreshSeconds), '--refresh is a whole number of seconds, or 0 for never')
  require(options.refreshSeconds <=
    longestRefreshSeconds, `--refresh is at most ${longestRefreshSeconds} seconds (24 days), or 0 for never`)
  const { fuseFd } = options
  require(fuseFd === undefined ||
    (isCount(fuseFd) && fuseFd > 2), '--fuse-fd is the number of an open descriptor, 3 or more')
  require(fuseFd === undefined ||
    options.transport === 'kernel', '--fuse-fd needs --transport kernel: libfuse opens /dev/fuse itself')
  require(options.readOnly ||
    options.transport === 'kernel', '--read-write needs --transport kernel: libfuse is for reading only')
  require(options.readOnly ||
    options.mapping ===
      undefined, '--read-write is not for a destination with an index_mapping: jbfs writes only where it knows the format, and what it would put there nobody else could read')
  require(options.readOnly || !options.raw, '--raw is for looking around: it goes with no --read-write')
  return Object.freeze(options)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function require(condition: boolean, message: string): void {
  if (!condition) throw new JbfsError('bad-option', message)
}
