/**
 * Milliseconds. A signal to a process group reaches our launcher too, which passes it on: what follows so soon is the same signal, and taken for a second one it would end
 * what is just being cleaned up.
 */
const echoTime = 1_000

/** Calls `handle` for each of these signals, once for one that comes twice at a time. `clock`: milliseconds, from anywhere. Dispose to stop listening. */
export function onSignals(
  signals: readonly NodeJS.Signals[],
  handle: (signal: NodeJS.Signals) => void,
  clock: () => number = () => performance.now(),
): Disposable {
  const last = new Map<NodeJS.Signals, number>()
  const onSignal = (signal: NodeJS.Signals): void => {
    const before = last.get(signal)
    const now = clock()
    last.set(signal, now)
    if (before === undefined || now - before > echoTime) handle(signal)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, onSignal)
    },
  }
}
