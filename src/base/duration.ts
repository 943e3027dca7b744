const unitSeconds = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** Seconds of `90s`, `90m`, `24h`, `7d`, `1.5h`, and of `0`. Undefined when it is no duration: a number without a unit could mean any. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([smhd])$/i.exec(text.trim())
  if (match === null) return text.trim() === '0' ? 0 : undefined
  const unit = (match[2] as string).toLowerCase() as keyof typeof unitSeconds
  const seconds = Number(match[1]) * unitSeconds[unit]
  return Number.isSafeInteger(Math.ceil(seconds)) ? seconds : undefined
}
