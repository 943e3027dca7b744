/** Of a mount's options, which are joined by commas: one in the source's name would begin another. */
export function fsnameOf(source: string): string {
  return source.replaceAll(/[\\,]/g, '\\$&')
}
