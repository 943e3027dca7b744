const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Bytes of `268435456`, `256M`, `256MiB`, `1.5g` …: units are powers of 1,024. Undefined when it is no size. */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])(?:iB)?|B)?$/i.exec(text.trim())
  if (match === null) return undefined
  const power = match[2] === undefined ? 0 : 'KMGTP'.indexOf(match[2].toUpperCase()) + 1
  const bytes = Math.round(Number(match[1]) * 1024 ** power)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** For people: `0 B`, `1.5 MiB`. */
export function formatByteSize(bytes: number): string {
  let amount = bytes
  let unit = 0
  while (Math.abs(amount) >= 1024 && unit < units.length - 1) {
    amount /= 1024
    unit++
  }
  const digits = unit === 0 || Math.abs(amount) >= 100 ? 0 : 1
  return `${amount.toFixed(digits)} ${units[unit]}`
}
