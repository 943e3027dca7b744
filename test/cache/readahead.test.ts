import test from 'ava'
import { ReadaheadWindow, readaheadDefaults } from '../../src/cache/readahead.ts'

const MiB = 1 << 20
const endless = Number.MAX_SAFE_INTEGER

/** All requests that are due, as [offset, length] in MiB. */
function due(window: ReadaheadWindow, size = endless): number[][] {
  const requests: number[][] = []
  for (let next = window.nextRequest(size); next !== undefined; next = window.nextRequest(size))
    requests.push([next.offset / MiB, next.length / MiB])
  return requests
}

test('a read from the start fetches its own block and nothing more', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: 4096 })
  t.true(window.isSequential)
  t.deepEqual(due(window), [])
})

test('a second small read already fetches the next block', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: 128 << 10 })
  window.advance({ offset: 128 << 10, length: 128 << 10 }, false)
  t.deepEqual(due(window), [[1, 1]])
})

test('a read from elsewhere fetches nothing ahead until it is gone on with', (t) => {
  const window = new ReadaheadWindow({ offset: 100 * MiB, length: 65536 })
  t.false(window.isSequential)
  t.deepEqual(due(window), [])
  t.false(window.expects(100 * MiB))
  t.false(window.expects(101 * MiB))
  t.true(window.expects(100 * MiB + 65536))
  window.advance({ offset: 100 * MiB + 65536, length: 65536 }, true)
  t.true(window.isSequential)
  window.advance({ offset: 100 * MiB + 131072, length: 65536 }, true)
  t.deepEqual(due(window), [[101, 1]])
})

test('the window doubles when its reader has used it up, and only then', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: MiB })
  const lengths: number[] = []
  for (let i = 1; i < 128; i++) {
    window.advance({ offset: i * MiB, length: MiB }, true)
    due(window)
    lengths.push(window.length / MiB)
  }
  t.deepEqual([...new Set(lengths)], [2, 4, 8, 16, 32, 64])
  // Each length lasts for about as many bytes as it holds: a burst of parallel reads does not make it jump.
  t.is(lengths.filter((length) => length === 8).length, 8)
})

test('the window stays as it is while its reader never waits', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: MiB })
  for (let i = 1; i < 100; i++) window.advance({ offset: i * MiB, length: MiB }, false)
  t.is(window.length, readaheadDefaults.initial)
})

test('requests grow with the window, adjoin, and end with the object', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: MiB })
  const size = 300 * MiB + 5
  const requests: number[][] = []
  for (let i = 1; i < 300; i++) {
    window.advance({ offset: i * MiB, length: MiB }, true)
    requests.push(...due(window, size))
  }
  let end = requests[0]?.[0] ?? 0
  for (const [offset = 0, length = 0] of requests) {
    t.is(offset, end)
    end = offset + length
  }
  t.is(end, size / MiB)
  t.is(Math.max(...requests.map(([, length = 0]) => length)), readaheadDefaults.largestRequest / MiB)
})

test('reads of one reader may come out of order', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: MiB })
  for (const i of [3, 1, 2, 7, 5, 4, 6]) {
    t.true(window.expects(i * MiB))
    window.advance({ offset: i * MiB, length: MiB }, true)
  }
  t.is(window.next, 8 * MiB)
  t.true(window.expects(8 * MiB + readaheadDefaults.tolerance))
  t.false(window.expects(9 * MiB + readaheadDefaults.tolerance))
})

test('a refused request is asked for again, by a smaller window', (t) => {
  const window = new ReadaheadWindow({ offset: 0, length: MiB })
  for (let i = 1; i < 64; i++) {
    window.advance({ offset: i * MiB, length: MiB }, true)
    due(window)
  }
  const before = window.length
  window.advance({ offset: 64 * MiB, length: MiB }, false)
  window.advance({ offset: 72 * MiB, length: MiB }, false)
  const request = window.nextRequest(endless)
  t.truthy(request)
  window.refuse(request?.offset ?? 0)
  t.is(window.length, before / 2)
  window.advance({ offset: 120 * MiB, length: MiB }, false)
  t.is(window.nextRequest(endless)?.offset, request?.offset)
  for (let i = 0; i < 10; i++) window.refuse(request?.offset ?? 0)
  t.is(window.length, readaheadDefaults.initial)
})
