import test from 'ava'
import { parseDuration } from '../../src/base/duration.ts'

test('durations have a unit, but nothing is nothing', (t) => {
  const seconds = {
    '90s': 90,
    '90m': 5400,
    '24h': 86_400,
    '7d': 604_800,
    '1.5h': 5400,
    ' 2 D ': 172_800,
    '0': 0,
    '0s': 0,
  }
  for (const [text, expected] of Object.entries(seconds)) t.is(parseDuration(text), expected, text)
})

test('anything else is none', (t) => {
  for (const text of ['', '24', '-1h', 'h', '1w', '1h30m', '1e3s', 'NaNs', `${'9'.repeat(30)}d`])
    t.is(parseDuration(text), undefined, text)
})
