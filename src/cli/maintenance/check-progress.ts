import { formatByteSize } from '../../base/byte-size.ts'
import type { CheckProgress } from '../../maintenance/check-repository.ts'

/** One line. `seconds` since reading began, for the time that is left. */
export function checkProgressText(
  repository: string,
  { referred, listed, read }: CheckProgress,
  seconds: number,
): string {
  const place = repository === '' ? 'check' : `check ${repository}`
  if (read === undefined)
    return listed === 0
      ? `${place}: indexes refer to ${referred} objects`
      : `${place}: found ${listed} objects, indexes refer to ${referred}`
  const { done, all } = read
  const rate = done.bytes / seconds
  const left = rate > 0 ? Math.ceil(Math.max(0, all.bytes - done.bytes) / rate) : undefined
  const percent = Math.floor((100 * done.bytes) / Math.max(1, all.bytes))
  return (
    `${place}: ${Math.min(100, percent)} %, read ${done.count} of ${all.count} objects, ` +
    `${formatByteSize(done.bytes)} of ${formatByteSize(all.bytes)}, ${formatByteSize(rate)}/s` +
    (left === undefined ? '' : `, ${timeText(left)} left`)
  )
}

function timeText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
