import { formatByteSize } from '../../base/byte-size.ts'
import type { Amount } from '../../maintenance/amount.ts'

/** `1 object`, `2 objects`; `many` where an s does not make it. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** `2 objects (1.5 MiB)`. */
export function amountText({ count, bytes }: Amount, one: string, many?: string): string {
  return `${counted(count, one, many)} (${formatByteSize(bytes)})`
}

/** `a`, `a and b`, `a, b and c`. */
export function listText(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}
