/**
 * Milliseconds. A signal to a process group reaches our launcher too, which passes it on: what follows so soon is the same signal, and taken for a second one it would end
 * what is just being cleaned up.
 */
const echoTime = 1_000

/** When each signal was handled last, whoever listened. */
const lastOfAll = new Map<NodeJS.Signals, number>()

/** Calls `handle` for each of these signals, once for one that comes twice at a time, be it that another listened first. `clock`: milliseconds, from anywhere. Dispose to stop listening. */
export function onSignals(
  signals: readonly NodeJS.Signals[],
  handle: (signal: NodeJS.Signals) => void,
  clock: () => number = () => performance.now(),
): Disposable {
  const last = new Map(lastOfAll)
  const onSignal = (signal: NodeJS.Signals): void => {
    const before = last.get(signal)
    const now = clock()
    // Of what was handled, not of its echoes: signals that never end are not one for ever.
    if (before !== undefined && now - before <= echoTime) return
    last.set(signal, now)
    lastOfAll.set(signal, now)
    handle(signal)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return {
    [Symbol.dispose]() {
      for (const signal of signals) {
        const before = last.get(signal)
        process.off(signal, onSignal)
        if (before !== undefined) swallow(signal, before + echoTime - clock())
      }
    },
  }
}

/** Ends this process by a signal, as if nobody had ever listened. */
export function endBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** For so many milliseconds: its echo would end a process that has just cleaned up. */
function swallow(signal: NodeJS.Signals, time: number): void {
  if (time <= 0) return
  const ignore = (): void => {}
  process.on(signal, ignore)
  setTimeout(() => process.off(signal, ignore), time).unref()
}
