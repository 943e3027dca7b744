import { createHash } from 'node:crypto'
import test from 'ava'
import { HashThread } from '../../src/cache/hash-thread.ts'
import { RunningHash } from '../../src/cache/running-hash.ts'
import { noise } from './recording-reader.ts'

const blockBytes = 1000
const content = noise(10 * blockBytes + 1)
const sha256 = createHash('sha256').update(content).digest()

function block(i: number): Buffer {
  return content.subarray(i * blockBytes, (i + 1) * blockBytes)
}

test('streams that are hashed side by side do not mix', async (t) => {
  await using thread = new HashThread()
  const contents = [noise(100_000, 1), noise(50_000, 2), Buffer.alloc(0)]
  const streams = contents.map(() => thread.newStream())
  for (let offset = 0; offset < 100_000; offset += 7000)
    for (const [i, bytes] of contents.entries())
      thread.update(streams[i] as number, bytes.subarray(offset, offset + 7000))
  for (const [i, bytes] of contents.entries())
    t.deepEqual(await thread.digest(streams[i] as number), createHash('sha256').update(bytes).digest())
})

test('bytes in shared memory may be changed once they are hashed', async (t) => {
  await using thread = new HashThread()
  const stream = thread.newStream()
  const shared = Buffer.from(new SharedArrayBuffer(blockBytes))
  for (let i = 0; i <= 10; i++) {
    const bytes = shared.subarray(0, block(i).copy(shared))
    await thread.update(stream, bytes)
  }
  t.deepEqual(await thread.digest(stream), sha256)
})

test('too many bytes that are not hashed yet hold up who brings more', async (t) => {
  await using thread = new HashThread()
  const stream = thread.newStream()
  const bytes = Buffer.from(new SharedArrayBuffer(8 << 20))
  const updates = [1, 2, 3].map(() => thread.update(stream, bytes))
  t.true(thread.isBehind)
  await thread.caughtUp()
  t.false(thread.isBehind)
  await Promise.all(updates)
})

test('what is asked of a thread that has ended is rejected, and a stream is never begun anew in its middle', async (t) => {
  const thread = new HashThread()
  const stream = thread.newStream()
  const first = thread.update(stream, block(0))
  await Promise.all([t.throwsAsync(first, { name: 'AbortError' }), thread[Symbol.asyncDispose]()])
  await t.throwsAsync(thread.update(stream, block(1)), { name: 'AbortError' })
  await t.throwsAsync(thread.digest(thread.newStream()), { name: 'AbortError' })
})

test('blocks are hashed in their order, whatever order they are offered in, and each is released once', async (t) => {
  await using thread = new HashThread()
  for (const order of [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    [3, 0, 3, 1, 1, 7, 2, 5, 4, 0, 6, 10, 9, 10, 8],
  ]) {
    const hash = new RunningHash(thread, sha256, 11)
    const releases: Promise<void>[] = []
    for (const i of order) {
      t.is(hash.verdict(), undefined)
      const { promise, resolve } = Promise.withResolvers<void>()
      releases.push(promise)
      hash.offer(i, block(i), resolve)
    }
    t.is(hash.waiting, 0)
    t.true(await hash.verdict())
    await Promise.all(releases)
  }
})

test('a block of other bytes is found out', async (t) => {
  await using thread = new HashThread()
  const hash = new RunningHash(thread, sha256, 11)
  for (let i = 0; i <= 10; i++) hash.offer(i, i === 4 ? noise(blockBytes, 2) : block(i), () => {})
  t.false(await hash.verdict())
})

test('what is given up releases all it has, takes no more, and has no verdict', async (t) => {
  await using thread = new HashThread()
  const hash = new RunningHash(thread, sha256, 11)
  let held = 0
  const offer = (i: number): void => {
    held++
    hash.offer(i, block(i), () => held--)
  }
  for (let i = 1; i <= 10; i++) offer(i)
  t.is(held, 10)
  hash.giveUp()
  t.is(held, 0)
  offer(0)
  t.is(held, 0)
  t.is(hash.verdict(), undefined)
})
