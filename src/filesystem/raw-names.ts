import { createHash } from 'node:crypto'
import { fileNameOfText } from '../snapshot/file-name.ts'
import type { FileName } from '../snapshot/tree.ts'

/** Marks a name that is not quite the key's: what is behind it in a key that has it anyway is left alone. */
const mark = '%'

/** Bytes of a long name that are kept; there must be room for the mark, a hash, and marks against clashes. */
const kept = 200

/**
 * What a part of a key, between two slashes, is called as a file: as it is, where a file can be called so. An empty part is `%`, dots and NUL are escaped as in a URL, and what is
 * longer than a name ends in a hash of all of it.
 */
export function rawNameOf(part: string): FileName {
  const plain = fileNameOfText(part)
  if (plain !== undefined) return plain
  if (part === '') return nameOf(mark)
  if (part === '.' || part === '..') return nameOf(part.replaceAll('.', `${mark}2E`))
  const escaped = part.replaceAll('\0', `${mark}00`)
  const short = fileNameOfText(escaped)
  if (short !== undefined) return short
  const sha256 = createHash('sha256').update(part).digest('hex')
  const bytes = Buffer.from(escaped).subarray(0, kept)
  return `${bytes.toString('latin1')}${mark}${sha256.slice(0, 16)}` as FileName
}

/** The same for one whose name is another's already: a key `a` beside keys `a/…`. */
export function marked(name: FileName): FileName {
  return (name + mark) as FileName
}

/** Whether a name may be one that stands for another. */
export function mayStandForAnother(name: string): boolean {
  return name.includes(mark)
}

function nameOf(text: string): FileName {
  return text as FileName
}
