import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import type { CatalogEntry } from '../../src/snapshot/catalog.ts'
import { ContentStore } from '../../src/snapshot/content-store.ts'
import type { FileName, Ino } from '../../src/snapshot/tree.ts'
import { type StagingResources, stagingResources } from '../../src/staging/staging-resources.ts'
import { StagingRoom } from '../../src/staging/staging-room.ts'
import { WorkingSnapshot, type WorkingSnapshotOptions } from '../../src/staging/working-snapshot.ts'
import type { WorkingTree } from '../../src/staging/working-tree.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { type MortalStore, mortal } from '../support/mortal-store.ts'

export const repository = 'job/account/'
export const top = { mode: 0o40755, uid: 3, gid: 4 } as const
export const owner = { uid: 1, gid: 2 } as const

/** Where working snapshots of one test live, and what they need. */
export interface Staging {
  readonly folder: string
  readonly store: MemoryStore
  readonly published: CatalogEntry[]
  readonly warnings: string[]
  readonly room: StagingRoom
  optionsAt(name: string): WorkingSnapshotOptions
  begin(name?: string): WorkingSnapshot
  /** As after a crash: another object over the same folder, in a process with a room of its own. What was before is as good as dead: it asks the store nothing, and hears nothing of it. */
  recover(name?: string): Promise<WorkingSnapshot | undefined>
}

/** What all working snapshots of a process have. */
interface Process extends MortalStore {
  readonly resources: StagingResources
  readonly contents: ContentStore
}

/** `stagingBytes`: room for all contents. */
export async function staging(
  t: ExecutionContext,
  { stagingBytes = 512 << 20 }: { readonly stagingBytes?: number } = {},
): Promise<Staging> {
  const folder = await temporaryFolder(t)
  const store = new MemoryStore()
  const processes: Process[] = []
  let current = startProcess()
  const published: CatalogEntry[] = []
  const warnings: string[] = []
  await mkdir(join(folder, 'working'))
  const made: WorkingSnapshot[] = []
  const kept = <T extends WorkingSnapshot | undefined>(snapshot: T): T => {
    if (snapshot !== undefined) made.push(snapshot)
    return snapshot
  }
  t.teardown(async () => {
    store.before = () => {}
    for (const { bury } of processes) bury()
    for (const snapshot of made) await snapshot[Symbol.asyncDispose]().catch(() => {})
    for (const { resources } of processes) {
      await resources.hashes[Symbol.asyncDispose]()
      await resources.checkpoints[Symbol.asyncDispose]()
    }
  })
  function startProcess(): Process {
    const resources = stagingResources(4, new StagingRoom(stagingBytes))
    const own = mortal(store)
    const contents = new ContentStore({ store: own.store, repository, ids: resources.ids })
    const started = { ...own, resources, contents }
    processes.push(started)
    return started
  }
  const optionsAt = (name: string): WorkingSnapshotOptions => ({
    folder: join(folder, 'working', name),
    store: current.store,
    contents: async () => current.contents,
    resources: current.resources,
    logger: { ...silentLogger, warn: (_, message) => void warnings.push(message) },
    writer: 'jbfs test',
    onPublished: (entry) => void published.push(entry),
  })
  return {
    folder,
    store,
    published,
    warnings,
    room: current.resources.room,
    optionsAt,
    begin: (name = '1') => kept(WorkingSnapshot.begin(optionsAt(name), { repository, number: 1, top })),
    recover: async (name = '1') => {
      current.die()
      // What it has heard already it has done.
      await turn()
      current = startProcess()
      return kept(await WorkingSnapshot.recover(join(folder, 'working', name), () => optionsAt(name)))
    },
  }
}

export interface Prepared extends Staging {
  readonly snapshot: WorkingSnapshot
  readonly file: Ino
}

/** A snapshot with one empty file, open for writing. */
export async function oneFile(t: ExecutionContext, stagingBytes?: number): Promise<Prepared> {
  const prepared = await staging(t, { ...(stagingBytes !== undefined && { stagingBytes }) })
  const snapshot = prepared.begin()
  const file = addFile(snapshot.tree, 'f')
  snapshot.opened(file, true)
  return { ...prepared, snapshot, file }
}

export function name(text: string): FileName {
  return text as FileName
}

/** A new empty file; its number. */
export function addFile(tree: WorkingTree, text: string, parent: Ino = tree.root): Ino {
  return tree.make(parent, name(text), { mode: 0o100644, ...owner }).ino
}

export function addFolder(tree: WorkingTree, text: string, parent: Ino = tree.root, mode = 0o755): Ino {
  return tree.make(parent, name(text), { mode: 0o40000 | mode, ...owner }).ino
}

/** The entries of a folder. */
export function names(tree: WorkingTree, folder: Ino = tree.root): string[] {
  return [...tree.entries(folder, 0)].map((entry) => entry.name)
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Waits until it is so; the test's own timeout ends it else. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn()
}
