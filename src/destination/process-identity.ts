import { readFileSync, readlinkSync } from 'node:fs'

/**
 * What tells a process from all others that had or will have its number: the boot of the system, the namespace that the number is of, and the clock tick it started at
 * (proc(5): /proc/pid/stat, field 22). undefined when there is no such process, or it has ended and nobody has asked for its end yet, or no telling.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is a name in brackets, and may hold any of both.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, started] = [fields[0], fields[19]]
    // In a container nobody may ever ask.
    if (state === 'Z' || state === 'X') return undefined
    return `${boot} ${readlinkSync('/proc/self/ns/pid')} ${started}`
  } catch {
    return undefined
  }
}

/** Whether a process of this machine that was known by `identity` is certainly gone. One of another machine, or container, may live. */
export function isProcessGone(pid: number, identity: string): boolean {
  const own = processIdentity(process.pid)
  if (own === undefined) return false
  const [boot, namespace] = identity.split(' ')
  const [ownBoot, ownNamespace] = own.split(' ')
  if (boot !== ownBoot || namespace !== ownNamespace) return false
  return processIdentity(pid) !== identity
}
