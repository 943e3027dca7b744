import { readFileSync } from 'node:fs'

export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Its watcher would clear the mount within a moment; here it is cleared by a command. */
export async function killWithWatcher(daemon: number): Promise<void> {
  for (const child of childrenOf(daemon)) process.kill(child, 'SIGKILL')
  process.kill(daemon, 'SIGKILL')
  await ended(daemon)
}

/** Resolves when a process that is not our child has ended. */
export async function ended(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve))
}

/** A zombie has ended, too: in a container nobody may be there to collect it. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
