import { randomBytes } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { Semaphore } from '../../src/base/semaphore.ts'
import { GatheredParts } from '../../src/staging/gathered-parts.ts'

const size = 64
const parts = 4

interface Gathering {
  readonly gathered: GatheredParts
  readonly memory: Semaphore
  /** Writes to a file of which parts are cut off as soon as they are whole. */
  write(offset: number, length: number): void
  /** Takes a part, and says whether it was gathered; its bytes are those of the file. */
  take(offset: number, length: number): boolean
}

function gathering(same: (is: Buffer, expected: Buffer) => void): Gathering {
  const memory = new Semaphore(parts * size)
  const gathered = new GatheredParts({ gathering: memory, buffers: new BufferPool(size, 1) })
  const file = Buffer.alloc(10_000)
  let end = 0
  return {
    gathered,
    memory,
    write(offset, length) {
      const bytes = randomBytes(length)
      file.set(bytes, offset)
      const next = Math.floor(end / size) * size
      gathered.wrote(bytes, offset, { next, size })
      end = Math.max(end, offset + length)
    },
    take(offset, length) {
      const found = gathered.take([{ offset, length }])
      if (found === undefined) return false
      same(found.bytes, file.subarray(offset, offset + length))
      found.room[Symbol.dispose]()
      return true
    },
  }
}

/** Of `size` bytes. */
function free(memory: Semaphore): number {
  const permits: Disposable[] = []
  for (;;) {
    const permit = memory.tryAcquire(size)
    if (permit === undefined) break
    permits.push(permit)
  }
  for (const permit of permits) permit[Symbol.dispose]()
  return permits.length
}

test('what is written one behind the other is there in parts, and the end of it', (t) => {
  const { write, take, memory, gathered } = gathering((is, expected) => t.deepEqual(is, expected))
  for (const [offset, length] of [
    [0, 40],
    [40, 40],
    [80, 70],
    [150, 5],
  ] as const)
    write(offset, length)
  t.true(take(0, size))
  t.true(take(64, size))
  t.true(take(128, 27))
  t.false(take(128, 27))
  t.is(free(memory), parts)
  gathered.forget()
})

test('what begins in the middle is gathered from the next part on', (t) => {
  const { write, take, gathered } = gathering((is, expected) => t.deepEqual(is, expected))
  write(100, 20)
  write(120, 90)
  t.false(take(64, size))
  t.true(take(128, size))
  gathered.forget()
})

test('no more is gathered than there is memory for', (t) => {
  const { write, take, memory, gathered } = gathering((is, expected) => t.deepEqual(is, expected))
  write(0, 10 * size)
  t.is(free(memory), 0)
  t.true(take(0, size))
  // The one before it is not wanted any more.
  t.true(take(2 * size, size))
  t.is(free(memory), 3)
  t.false(take(4 * size, size))
  t.is(free(memory), parts)
  gathered.forget()
})

test('what fits no part that is cut off does not stay in memory', (t) => {
  const { write, memory, gathered } = gathering(() => {})
  write(0, 3 * size)
  t.is(free(memory), 1)
  // As behind a hole.
  t.is(gathered.take([{ offset: 10, length: size }]), undefined)
  t.is(free(memory), 3)
  t.is(
    gathered.take([
      { offset: 90, length: 20 },
      { offset: 120, length: 44 },
    ]),
    undefined,
  )
  t.is(free(memory), parts)
})

test('what is written over, or with a gap, is not given out as it was', (t) => {
  for (const [offset, length] of [
    [10, 5],
    [70, 4],
    [150, 10],
  ] as const) {
    const { write, take, gathered, memory } = gathering((is, expected) => t.deepEqual(is, expected))
    write(0, 100)
    write(offset, length)
    write(160, 60)
    take(0, size)
    t.false(take(64, size))
    gathered.forget()
    t.is(free(memory), parts)
  }
})

test('who writes slowly, or no more, does not hold memory for long', async (t) => {
  const { write, memory, gathered } = gathering(() => {})
  write(0, 10)
  t.is(free(memory), parts - 1)
  const end = Date.now() + 10_000
  for (let at = 10; free(memory) < parts && Date.now() < end; write(at++, 1))
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.is(free(memory), parts)
  gathered.forget()
})

test('whatever is written, and whenever it is taken, bytes are those of the file, and all memory comes back', (t) => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        length: fc.integer({ min: 1, max: 150 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('skip' as const), length: fc.integer({ min: 1, max: 150 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('over' as const), length: fc.integer({ min: 1, max: 60 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('take' as const), length: fc.integer({ min: 0, max: 3 }) }),
    },
  )
  let took = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { write, take, memory, gathered } = gathering((is, expected) => t.deepEqual(is, expected))
      let end = 0
      let next = 0
      for (const { kind, length } of steps) {
        if (kind === 'append') {
          write(end, length)
          end += length
        } else if (kind === 'skip') end += length
        // What has been cut off is not written over: then all is given up.
        else if (kind === 'over') write(Math.max(Math.floor(end / size) * size, end - length), length)
        else for (let i = 0; i < length && next + size <= end; i++, next += size) if (take(next, size)) took++
        end = Math.max(
          end,
          kind === 'over' ? Math.max(Math.floor(end / size) * size, end - length) + length : end,
        )
      }
      gathered.forget()
      return free(memory) === parts
    }),
    { numRuns: 1000 },
  )
  t.true(took > 100)
})
