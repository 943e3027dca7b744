import test from 'ava'
import { formatByteSize, parseByteSize } from '../../src/base/byte-size.ts'

test('sizes are read in powers of 1,024, with or without a unit', (t) => {
  t.is(parseByteSize('0'), 0)
  t.is(parseByteSize('1000'), 1000)
  t.is(parseByteSize('12B'), 12)
  t.is(parseByteSize('256M'), 256 * 1024 ** 2)
  t.is(parseByteSize('256MiB'), 256 * 1024 ** 2)
  t.is(parseByteSize('1.5g'), 1.5 * 1024 ** 3)
  t.is(parseByteSize('2 T'), 2 * 1024 ** 4)
})

test('what is no size is undefined', (t) => {
  for (const text of ['', 'M', '-1M', '1X', '1MB2', '0x10', '9999P', '1e3'])
    t.is(parseByteSize(text), undefined, text)
})

test('sizes are shown with a unit', (t) => {
  t.is(formatByteSize(0), '0 B')
  t.is(formatByteSize(1023), '1023 B')
  t.is(formatByteSize(1536), '1.5 KiB')
  t.is(formatByteSize(256 * 1024 ** 2), '256 MiB')
  t.is(formatByteSize(3 * 1024 ** 5), '3.0 PiB')
})
