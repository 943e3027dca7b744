import test from 'ava'
import { BufferPool } from '../../src/base/buffer-pool.ts'

test('buffers are used again while any is in use, and afterwards some are kept', (t) => {
  const pool = new BufferPool(10, 1)
  const first = [pool.take(), pool.take(), pool.take()]
  t.is(new Set(first).size, 3)
  t.true(first.every(({ length, buffer }) => length === 10 && buffer instanceof SharedArrayBuffer))
  const [a, b, c] = first as [Buffer, Buffer, Buffer]
  pool.giveBack(a)
  pool.giveBack(b)
  t.deepEqual(new Set([pool.take(), pool.take()]), new Set([a, b]))
  for (const buffer of [a, b, c]) pool.giveBack(buffer)
  const again = [pool.take(), pool.take(), pool.take()]
  t.is(again.filter((buffer) => first.includes(buffer)).length, 1)
})
