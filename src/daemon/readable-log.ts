/** A JSON log line as a person reads it: `12:00:01 warn could not look for new snapshots error="connection refused"`. */
export function readableLine(line: string): string {
  const { level, time, msg, stack, ...fields } = JSON.parse(line) as Record<string, unknown>
  const clock = new Date(String(time)).toTimeString().slice(0, 8)
  const details = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  const trace = typeof stack === 'string' ? `${stack}\n` : ''
  return `${clock} ${level} ${msg}${details.join('')}\n${trace}`
}
