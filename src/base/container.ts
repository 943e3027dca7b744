/** How the bytes of an object are packed, and what is in them: known by their first bytes, never by a name. */

export type Container = 'plain' | 'zstd' | 'gzip' | 'xz' | 'bzip2'
export type Content = 'sqlite' | 'json' | 'unknown'

/** Numbers that formats begin with: RFC 8878 §3.1.1, RFC 1952 §2.3.1, xz-file-format §2.1.1.1, bzip2's header with the digit of its block size left out. */
const magic: readonly (readonly [Container, Buffer])[] = [
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['xz', Buffer.from('\xfd7zXZ\0', 'latin1')],
  ['bzip2', Buffer.from('BZh')],
]

const sqliteHeader = Buffer.from('SQLite format 3\0')

/** Bytes that `containerOf` and `contentOf` need to see. */
export const headLength = 16

export function containerOf(head: Buffer): Container {
  return magic.find(([, begin]) => head.subarray(0, begin.length).equals(begin))?.[0] ?? 'plain'
}

/** What unpacked bytes seem to be; only reading them shows whether they are it. */
export function contentOf(head: Buffer): Content {
  if (head.subarray(0, sqliteHeader.length).equals(sqliteHeader)) return 'sqlite'
  return /^(?:\xef\xbb\xbf)?\s*[[{]/.test(head.toString('latin1')) ? 'json' : 'unknown'
}
