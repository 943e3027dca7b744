import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { Semaphore } from '../../src/base/semaphore.ts'

/** What was granted so far, by name. */
function queue(semaphore: Semaphore): {
  granted: string[]
  ask(name: string, weight: number, signal?: AbortSignal): Promise<Disposable>
} {
  const granted: string[] = []
  return {
    granted,
    async ask(name, weight, signal) {
      const permit = await semaphore.acquire({ weight, signal })
      granted.push(name)
      return permit
    },
  }
}

test('weights are counted, in order, and one that is too heavy takes all places', async (t) => {
  const { granted, ask } = queue(new Semaphore(4))
  const first = await ask('3', 3)
  const heavy = ask('9', 9)
  const light = ask('1', 1)
  await setImmediate()
  t.deepEqual(granted, ['3'], 'the light one does not overtake')
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  const all = await heavy
  await setImmediate()
  t.deepEqual(granted, ['3', '9'])
  all[Symbol.dispose]()
  await light
  t.deepEqual(granted, ['3', '9', '1'])
})

test('when a heavy waiter gives up, those behind it that fit are served', async (t) => {
  const { granted, ask } = queue(new Semaphore(4))
  await ask('3', 3)
  const controller = new AbortController()
  const heavy = ask('2', 2, controller.signal)
  const light = ask('1', 1)
  controller.abort(new Error('enough'))
  await t.throwsAsync(heavy, { message: 'enough' })
  await light
  t.deepEqual(granted, ['3', '1'])
})
