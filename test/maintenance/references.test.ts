import { createHash } from 'node:crypto'
import test from 'ava'
import { ageOf } from '../../src/maintenance/age.ts'
import { objectProblems } from '../../src/maintenance/object-problems.ts'
import { References } from '../../src/maintenance/references.ts'
import { sampleOf } from '../../src/maintenance/sample.ts'
import { SnapshotSets } from '../../src/maintenance/snapshot-sets.ts'

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const idOf = (n: number): string => n.toString(16).padStart(24, '0')

test('sets of snapshots are shared, and in the order in which they were made', (t) => {
  const sets = new SnapshotSets()
  const one = sets.with(0, 4)
  const both = sets.with(one, 7)
  t.is(sets.with(one, 7), both)
  t.is(sets.with(both, 7), both)
  t.deepEqual(sets.snapshots(0), [])
  t.deepEqual(sets.snapshots(both), [4, 7])
  t.deepEqual(sets.snapshots(sets.with(0, 7)), [7])
})

test('of an object that is not as its indexes say all snapshots are named', (t) => {
  for (const hashBytes of [8, 32] as const) {
    const references = new References({ hashBytes })
    t.true(references.add({ id: idOf(1), size: 10, sha256: sha256('1') }, 0))
    references.add({ id: idOf(2), size: 20, sha256: sha256('2') }, 0)
    t.false(references.add({ id: idOf(1), size: 10, sha256: sha256('1') }, 2))
    references.add({ id: idOf(2), size: 20, sha256: sha256('other') }, 1)
    t.true(references.see(idOf(2), 19))
    t.false(references.see(idOf(3), 1))
    const snapshots = ['snap.1', 'snap.2', 'snap.5']
    const problems = [...objectProblems({ repository: 'a', snapshots, references, verdicts: new Map() })]
    t.deepEqual(
      problems.map(({ kind, object, text }) => [kind, object, text]),
      [
        ['missing', idOf(1), `a: snap.1, snap.5: object ${idOf(1)} is missing, all of its 10 bytes`],
        ['wrong-size', idOf(2), `a: snap.1: object ${idOf(2)} has 19 bytes instead of 20`],
        [
          'contradiction',
          idOf(2),
          `a: snap.2: object ${idOf(2)} has another size or SHA-256 in the index of snap.2 than in that of snap.1`,
        ],
      ],
    )
  }
})

test('what is exactly as old as the grace period goes, the future stays', (t) => {
  const rule = { now: 1000, grace: 100 }
  t.deepEqual(
    [899, 900, 901, 1000, 1001].map((made) => ageOf(made, rule)),
    ['old', 'old', 'young', 'young', 'future'],
  )
})

test('a sample has as many items as it should, in their order', (t) => {
  const items = Array.from({ length: 1000 }, (_, n) => n)
  for (const [percent, expected] of [
    [100, 1000],
    [10, 100],
    [0.01, 1],
    [33.33, 334],
  ] as const) {
    const sample = [...sampleOf(items, items.length, percent)]
    t.is(sample.length, expected)
    t.is(new Set(sample).size, expected)
    t.deepEqual(
      sample.toSorted((a, b) => a - b),
      sample,
    )
  }
  t.deepEqual([...sampleOf([], 0, 50)], [])
  // All are as likely: that one of them is never chosen happens once in seventy million runs.
  const seen = new Set(Array.from({ length: 200 }, () => [...sampleOf(items.slice(0, 20), 20, 10)]).flat())
  t.is(seen.size, 20)
})
