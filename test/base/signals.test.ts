import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { onSignals } from '../../src/base/signals.ts'

test('a signal that comes twice at a time is one, and one that comes later another', (t) => {
  let now = 0
  const heard: string[] = []
  const send = (signal: 'SIGUSR2' | 'SIGWINCH'): void => void process.emit(signal, signal)
  {
    using _listening = onSignals(
      ['SIGUSR2', 'SIGWINCH'],
      (signal) => void heard.push(signal),
      () => now,
    )
    send('SIGUSR2')
    now = 5
    send('SIGUSR2')
    t.deepEqual(heard, ['SIGUSR2'])
    send('SIGWINCH')
    t.deepEqual(heard, ['SIGUSR2', 'SIGWINCH'])
    now = 5_000
    send('SIGUSR2')
    t.deepEqual(heard, ['SIGUSR2', 'SIGWINCH', 'SIGUSR2'])
  }
  now = 10_000
  send('SIGUSR2')
  t.is(heard.length, 3, 'nobody listens any more')
})

test('signals that come one after the other, each soon, are heard again and again', (t) => {
  let now = 20_000
  let heard = 0
  using _listening = onSignals(
    ['SIGWINCH'],
    () => void heard++,
    () => now,
  )
  for (let i = 0; i < 100; i++, now += 900) process.emit('SIGWINCH', 'SIGWINCH')
  t.is(heard, 50)
})

test('the echo of a signal that has been heard ends nobody, and is not news for who listens next', async (t) => {
  const [first, next] = [[] as string[], [] as string[]]
  {
    using _listening = onSignals(['SIGUSR1'], (signal) => void first.push(signal))
    process.emit('SIGUSR1', 'SIGUSR1')
  }
  t.is(process.listenerCount('SIGUSR1'), 1)
  {
    using _listening = onSignals(['SIGUSR1'], (signal) => void next.push(signal))
    process.emit('SIGUSR1', 'SIGUSR1')
  }
  t.deepEqual([first, next], [['SIGUSR1'], []])
  await delay(1_100)
  t.is(process.listenerCount('SIGUSR1'), 0, 'a later one does what it does without us')
})
