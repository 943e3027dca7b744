import { messageOf } from '../base/errors.ts'
import { exportPrefix, parseIndexName } from '../destination/layout.ts'
import { SnapshotError } from './errors.ts'
import { formatVersion } from './schema.ts'
import type { Timestamp } from './tree.ts'

/**
 * The manifest of a snapshot, `snap.N/jetbackup.index` (`native-notes/format.md` §3). The outer members are the vendor's, `jbfs` is ours;
 * members that are not known are kept as they are.
 */
export interface Manifest {
  /** Epoch seconds. */
  readonly created: number
  readonly suspended: boolean
  readonly account: string | undefined
  readonly items: readonly ManifestItem[]
  /** undefined: written by something else. */
  readonly jbfs: JbfsMember | undefined
  /** As it lies in the store. */
  readonly bytes: Buffer
}

/** A top-level folder of the snapshot. */
export interface ManifestItem {
  readonly type: string
  readonly path: string
  readonly files: number
  /** Bytes. */
  readonly size: number
}

export interface JbfsMember {
  readonly format: number
  readonly writer: string
  /** Inodes that are no folders. */
  readonly files: number
  readonly folders: number
  /** Sum of st_size over regular files. */
  readonly bytes: number
  /** Of the top folder, so that a repository can be listed without any index. */
  readonly root: RootAttributes
  readonly index: IndexReference
}

export interface RootAttributes {
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly mtime: Timestamp
  readonly ctime: Timestamp
  /** How many extended attributes it has: with none, `ls -l` of a repository needs no index. */
  readonly xattrs: number
}

/** Where the file index is, and how to know it. */
export interface IndexReference {
  /** Relative to the repository. */
  readonly key: string
  readonly encoding: 'zstd'
  /** Bytes in the store. */
  readonly size: number
  /** Bytes of the SQLite file. */
  readonly rawSize: number
  /** 64 hex digits, of the bytes in the store. */
  readonly sha256: string
}

/** Larger ones are not read: a manifest has a few lines. */
export const largestManifest = 4 << 20

/**
 * A few kilobytes of zstd can fill any disk: an index is no larger than this (bytes), or than so many times what it takes in the store. A real one
 * shrinks to a fifth.
 */
const alwaysAllowed = 2 ** 30
const largestRatio = 100

export type ManifestMembers = { readonly [member: string]: unknown }

/** The range of a `Date`, in seconds: what lies outside is no date, and cannot be shown as one. */
const largestCreated = 8.64e12

/** Throws `bad-manifest` or `too-new`. */
export function parseManifest(bytes: Buffer): Manifest {
  const { created, suspended, account, items, jbfs } = manifestMembers(bytes)
  return {
    created: isSeconds(created) && Math.abs(created) <= largestCreated ? created : 0,
    suspended: suspended === true,
    account: typeof account === 'string' ? account : undefined,
    items: Array.isArray(items) ? items.filter(isObject).map(itemOf) : [],
    jbfs: jbfs === undefined ? undefined : jbfsMemberOf(jbfs),
    bytes,
  }
}

/** All that a manifest says, whether it is understood or not. Throws `bad-manifest`. */
export function manifestMembers(bytes: Buffer): ManifestMembers {
  if (bytes.length > largestManifest) throw bad(`it has ${bytes.length} bytes`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw bad(`it is no JSON (${messageOf(error)})`, error)
  }
  if (!isObject(json)) throw bad('it is no JSON object')
  return json
}

/**
 * A manifest as JSON. `base` is the vendor's own, whose members are kept, in their order, where ours do not replace them.
 */
export function serializeManifest(manifest: Omit<Manifest, 'bytes'>, base: ManifestMembers = {}): Buffer {
  const { created, suspended, account, items, jbfs } = manifest
  return Buffer.from(`${JSON.stringify({ ...base, created, suspended, account, items, jbfs }, null, 2)}\n`)
}

function jbfsMemberOf(value: unknown): JbfsMember {
  if (!isObject(value)) throw bad('its member jbfs is no object')
  const { format, writer, files, folders, bytes, root, index } = value
  if (!isCount(format)) throw bad('its member jbfs.format is no number')
  if (format > formatVersion)
    throw new SnapshotError(
      'too-new',
      `it has format ${format}, and this jbfs knows up to ${formatVersion}: update jbfs`,
    )
  if (!isCount(files) || !isCount(folders) || !isCount(bytes)) throw bad('its member jbfs has no totals')
  return {
    format,
    writer: typeof writer === 'string' ? writer : '',
    files,
    folders,
    bytes,
    root: rootOf(root),
    index: indexOf(index),
  }
}

function rootOf(value: unknown): RootAttributes {
  if (!isObject(value)) throw bad('its member jbfs.root is missing')
  const { mode, nlink, uid, gid, xattrs } = value
  if (!isCount(mode) || (mode & 0o170000) !== 0o040000) throw bad('jbfs.root.mode is not that of a folder')
  if (![nlink, uid, gid].every((count) => isCount(count) && count < 2 ** 32))
    throw bad('jbfs.root is not complete')
  if (!isCount(xattrs)) throw bad('jbfs.root.xattrs is no number')
  return {
    mode,
    nlink: nlink as number,
    uid: uid as number,
    gid: gid as number,
    mtime: timestampOf(value.mtime),
    ctime: timestampOf(value.ctime),
    xattrs,
  }
}

function timestampOf(value: unknown): Timestamp {
  if (
    !isObject(value) ||
    !isSeconds(value.seconds) ||
    !isCount(value.nanoseconds) ||
    value.nanoseconds >= 1e9
  )
    throw bad('a time in jbfs.root is none')
  return { seconds: value.seconds, nanoseconds: value.nanoseconds }
}

function isIndexKey(key: string): boolean {
  const prefix = exportPrefix('')
  return key.startsWith(prefix) && parseIndexName(key.slice(prefix.length)) !== undefined
}

function indexOf(value: unknown): IndexReference {
  if (!isObject(value)) throw bad('its member jbfs.index is missing')
  const { key, encoding, size, rawSize, sha256 } = value
  if (typeof key !== 'string' || !isIndexKey(key))
    throw bad('jbfs.index.key is not export/snap.N or export/snap.N.1')
  if (encoding !== 'zstd') throw bad('jbfs.index.encoding is not "zstd"')
  if (!isCount(size) || !isCount(rawSize)) throw bad('jbfs.index has no sizes')
  if (rawSize > Math.max(alwaysAllowed, largestRatio * size))
    throw bad(`jbfs.index.rawSize is ${rawSize}, which nothing real of ${size} bytes decompresses to`)
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw bad('jbfs.index.sha256 is none')
  return { key, encoding, size, rawSize, sha256 }
}

function itemOf(item: ManifestMembers): ManifestItem {
  return {
    type: typeof item.type === 'string' ? item.type : '',
    path: typeof item.path === 'string' ? item.path : '',
    files: isCount(item.files) ? item.files : 0,
    size: isCount(item.size) ? item.size : 0,
  }
}

function isObject(value: unknown): value is ManifestMembers {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value)
}

function bad(reason: string, cause?: unknown): SnapshotError {
  return new SnapshotError('bad-manifest', `the manifest cannot be used: ${reason}`, { cause })
}
