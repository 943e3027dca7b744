import type { FileName } from './tree.ts'

export const longestName = 255

/** A name from its bytes; undefined when no file can be called so. */
export function fileNameOfBytes(bytes: Uint8Array): FileName | undefined {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const isPossible =
    name.length > 0 && name.length <= longestName && !/[/\0]/.test(name) && name !== '.' && name !== '..'
  return isPossible ? (name as FileName) : undefined
}

/** A name from text, such as a part of an object key; undefined when no file can be called so. */
export function fileNameOfText(text: string): FileName | undefined {
  return fileNameOfBytes(Buffer.from(text, 'utf8'))
}

/** The text of a name, such as a part of an object key; undefined for one that is not UTF-8, which no key can hold. */
export function textOfFileName(name: FileName): string | undefined {
  const bytes = bytesOfFileName(name)
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
}

export function bytesOfFileName(name: FileName): Buffer {
  return Buffer.from(name, 'latin1')
}

/** For messages: as text where the bytes are UTF-8, else with the others as `\xNN`; control characters too. */
export function displayFileName(name: FileName): string {
  const shown = textOfFileName(name) ?? name
  const from = shown === name ? 0x7f : 0x80
  return [...shown]
    .map((character) => {
      const code = character.codePointAt(0) as number
      const isPlain = code >= 0x20 && (code < 0x7f || (from === 0x80 && code >= 0xa0))
      return isPlain ? character : `\\x${code.toString(16).padStart(2, '0')}`
    })
    .join('')
}
