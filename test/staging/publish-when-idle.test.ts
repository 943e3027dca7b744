import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { defaultPublishTimes, PublishWhenIdle } from '../../src/staging/publish-when-idle.ts'
import type { WorkingSnapshot } from '../../src/staging/working-snapshot.ts'

/** Milliseconds. */
const second = 1_000
const minute = 60 * second

interface Course {
  /** Whether something changes at a time. */
  readonly changes: (now: number) => boolean
  readonly isGrowing?: boolean
  /** That a publish takes. */
  readonly cost?: number
  readonly end: number
}

/** When a snapshot with one change at 0 is published, if it is looked at every second of a course of time. */
async function publishes({ changes, isGrowing = false, cost = 0, end }: Course): Promise<number[]> {
  let now = 0
  let published = 0
  const begun: number[] = []
  const tree = { changes: 1 }
  const snapshot = {
    tree,
    isGrowing,
    publishing: { former: undefined },
    get isPublished() {
      return tree.changes === published
    },
    async publish() {
      begun.push(now)
      published = tree.changes
      now += cost
      if (changes(now)) tree.changes++
    },
  }
  const publishing = new PublishWhenIdle({
    snapshots: () => new Set([snapshot as unknown as WorkingSnapshot]),
    leaveFormer: async () => {},
    times: defaultPublishTimes,
    logger: silentLogger,
    signal: new AbortController().signal,
    clock: () => now,
  })
  for (; now < end; now += second) {
    if (now > 0 && changes(now)) tree.changes++
    await publishing.look()
  }
  return begun
}

const never = (): boolean => false
const always = (): boolean => true

test('what is left alone is published after 5 s, once', async (t) => {
  t.deepEqual(await publishes({ changes: never, end: 10 * minute }), [5 * second])
})

test('what goes on changing is published every minute', async (t) => {
  t.deepEqual(await publishes({ changes: always, end: 3 * minute }), [minute, 2 * minute])
})

test('what takes long to be published is published less often, also when it rests between', async (t) => {
  const cost = 30 * second
  t.deepEqual(await publishes({ changes: always, cost, end: 8 * minute }), [minute, minute + 11 * cost])
  const again = (now: number): boolean => now === 2 * minute
  t.deepEqual(await publishes({ changes: again, cost, end: 8 * minute }), [
    5 * second,
    5 * second + 11 * cost,
  ])
})

test('no change waits for more than half an hour, however long a publish takes', async (t) => {
  const cost = 10 * minute
  const [first, second] = await publishes({ changes: always, cost, end: 45 * minute })
  t.is(first, minute)
  t.is(second, 41 * minute)
  const atLast = await publishes({ changes: (now) => now < 40 * minute, cost, end: 45 * minute })
  t.deepEqual(atLast, [minute, 41 * minute])
})

test('a large file that is being written is waited for, but not for more than half an hour', async (t) => {
  const course = { changes: always, isGrowing: true }
  t.deepEqual(await publishes({ ...course, end: 61 * minute }), [30 * minute, 60 * minute])
})
