import test from 'ava'
import fc from 'fast-check'
import { seek, stretchesOf } from '../../src/filesystem/holes.ts'
import type { Extent } from '../../src/snapshot/tree.ts'

const extents: Extent[] = [
  { offset: 10, length: 5, objectOffset: 0 },
  { offset: 20, length: 10, objectOffset: 5 },
]

test('a range is cut into stored stretches and holes', (t) => {
  t.deepEqual(stretchesOf(extents, { offset: 12, length: 23 }), [
    { length: 3, objectOffset: 2 },
    { length: 5, objectOffset: undefined },
    { length: 10, objectOffset: 5 },
    { length: 5, objectOffset: undefined },
  ])
})

test('a file that is one hole has one stretch', (t) => {
  t.deepEqual(stretchesOf([], { offset: 3, length: 4 }), [{ length: 4, objectOffset: undefined }])
})

test('SEEK_DATA and SEEK_HOLE', (t) => {
  t.is(seek('data', 0, 40, extents), 10)
  t.is(seek('data', 12, 40, extents), 12)
  t.is(seek('data', 15, 40, extents), 20)
  t.is(seek('data', 30, 40, extents), undefined)
  t.is(seek('hole', 0, 40, extents), 0)
  t.is(seek('hole', 12, 40, extents), 15)
  t.is(seek('hole', 20, 40, extents), 30)
  t.is(seek('hole', 20, 30, extents), 30)
  t.is(seek('hole', 40, 40, extents), undefined)
  t.is(seek('hole', 3, 40, undefined), 40)
  t.is(seek('data', 3, 40, undefined), 3)
})

test('a hole behind endless data is not looked for for ever', (t) => {
  function* endless(): Iterable<Extent> {
    for (let i = 0; ; i++) yield { offset: i, length: 1, objectOffset: i }
  }
  t.is(seek('hole', 0, 2 ** 40, endless()), 2 ** 40)
})

/** Data (true) and holes (false) in turn, as extents and as what a byte-by-byte reading would find. */
const files = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 9 }), data: fc.boolean() }), { maxLength: 8 })
  .map((runs) => {
    const found: Extent[] = []
    const bytes: (number | undefined)[] = []
    let stored = 0
    for (const { length, data } of runs) {
      if (data) found.push({ offset: bytes.length, length, objectOffset: stored })
      for (let i = 0; i < length; i++) bytes.push(data ? stored++ : undefined)
    }
    return { extents: found, bytes }
  })

test('stretches and seeking agree with a byte-by-byte reading', (t) => {
  fc.assert(
    fc.property(files, fc.nat(80), fc.integer({ min: 1, max: 80 }), ({ extents, bytes }, offset, length) => {
      const wanted = bytes.slice(offset, offset + length)
      const inside = { offset, length: wanted.length }
      const read = wanted.length === 0 ? [] : stretchesOf(extents, inside)
      const seen = read.flatMap(({ length, objectOffset }) =>
        Array.from({ length }, (_, i) => (objectOffset === undefined ? undefined : objectOffset + i)),
      )
      t.deepEqual(seen, wanted)
      const next = (isData: boolean): number | undefined => {
        const at = bytes.findIndex((byte, i) => i >= offset && (byte !== undefined) === isData)
        return at === -1 ? undefined : at
      }
      t.is(seek('data', offset, bytes.length, extents), next(true))
      const hole = offset >= bytes.length ? undefined : (next(false) ?? bytes.length)
      t.is(seek('hole', offset, bytes.length, extents), hole)
    }),
  )
})
