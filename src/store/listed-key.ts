/**
 * A key, or a marker, of a listing that was asked for with `encoding-type=url`; some servers send it as it is all the same, and do not name the
 * encoding. Amazon encodes a form's way, with plus signs for spaces. undefined for bytes that are not UTF-8: such a key, which some
 * servers take, cannot be asked for.
 */
export function listedKey(text: string, encoding: string | undefined): string | undefined {
  if (encoding !== 'url') return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
