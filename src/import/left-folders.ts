import { createHash } from 'node:crypto'
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { processIdentity } from '../destination/process-identity.ts'

/** `jbfs-import-`, the mark of a process, and what mkdtemp(3) adds. */
const markedName = /^jbfs-[a-z]+-(\d+)-(\d+)-([0-9a-f]{16})-[A-Za-z0-9]{6}$/

/**
 * What tells in a folder's name whose it is: number of the process, clock tick it started at, and a hash of the system's boot and the namespace that both
 * are of. '' where there is no telling; such a folder is never taken for one that was left behind.
 */
export function folderMark(pid = process.pid): string {
  const identity = processIdentity(pid)
  if (identity === undefined) return ''
  const { started, system } = partsOf(identity)
  return `${pid}-${started}-${system}-`
}

/**
 * Removes the temporary folders that processes of this user have left below `parent` which were killed. That a process is dead is certain only of this boot and
 * namespace; others share the folder perhaps, and keep theirs. What cannot be removed stays.
 */
export async function removeLeftFolders(parent: string): Promise<void> {
  const own = processIdentity(process.pid)
  if (own === undefined) return
  const { system } = partsOf(own)
  for (const name of await readdir(parent).catch(() => [])) {
    const [, pid, started, itsSystem] = markedName.exec(name) ?? []
    if (pid === undefined || itsSystem !== system || isAlive(Number(pid), started)) continue
    const path = join(parent, name)
    const stats = await lstat(path).catch(() => undefined)
    const isOurs = stats?.isDirectory() === true && stats.uid === process.getuid?.()
    if (isOurs) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

function isAlive(pid: number, started: string | undefined): boolean {
  const identity = processIdentity(pid)
  return identity !== undefined && partsOf(identity).started === started
}

function partsOf(identity: string): { readonly started: string; readonly system: string } {
  const [boot, namespace, started = ''] = identity.split(' ')
  const hash = createHash('sha256').update(`${boot} ${namespace}`).digest('hex')
  return { started, system: hash.slice(0, 16) }
}
