import assert from 'node:assert/strict'
import type { SnapshotFilesystem } from '../../src/filesystem/snapshot-filesystem.ts'
import type { ChangeContext, ChangeOperations, OpenMode } from '../../src/fuse/operations.ts'
import { ChangeError } from '../../src/snapshot/errors.ts'
import { context, entryAt, namesIn } from '../filesystem/memory-destination.ts'
import { compareTree } from './compare.ts'
import type { ModelDestination } from './mount.ts'
import { type At, isFile, isFolder, type Node, Reference } from './reference.ts'

export interface Handle {
  readonly node: Node
  readonly mode: OpenMode
}

export const owner: ChangeContext = { ...context, uid: 11, gid: 22 }
const top = { mode: 0o40755, uid: owner.uid, gid: owner.gid }
const snapshots = [1, 2]

/** A mount and its reference, kept in step. */
export class Run {
  readonly destination: ModelDestination
  readonly reference = new Reference(snapshots, top)
  /** Nodeids of this mount. */
  nodeids = new Map<Node, number>()
  handles: Handle[] = []
  /** Publishes that nobody waits for. */
  publishing: Promise<void>[] = []
  /** Changes that both have refused. */
  refused = 0
  #mount: Awaited<ReturnType<ModelDestination['mount']>>

  private constructor(destination: ModelDestination, mount: Awaited<ReturnType<ModelDestination['mount']>>) {
    this.destination = destination
    this.#mount = mount
  }

  static async begin(destination: ModelDestination): Promise<Run> {
    const run = new Run(destination, await destination.mount())
    const { changes, filesystem } = run
    const asked = { mode: 0o755, umask: 0 }
    await changes.makeFolder(1, 'account', asked, owner)
    const account = (await entryAt(filesystem, 'account'))?.attr.ino as number
    for (const number of snapshots) await changes.makeFolder(account, `snap.${number}`, asked, owner)
    await run.compare()
    return run
  }

  get filesystem(): SnapshotFilesystem {
    return this.#mount.filesystem
  }

  get changes(): ChangeOperations {
    return this.#mount.changes
  }

  nodeid(node: Node): number {
    const nodeid = this.nodeids.get(node)
    if (nodeid === undefined) throw new Error('the test has lost a node')
    return nodeid
  }

  folders(): Node[] {
    return [...this.reference.nodes].filter((node) => isFolder(node))
  }

  files(): Node[] {
    return [...this.reference.nodes].filter((node) => isFile(node))
  }

  place({ folder, name }: At): { parent: number; name: string } {
    return { parent: this.nodeid(folder), name }
  }

  /** Both do it, or refuse for the same reason: then undefined. */
  async both<R, T>(wanted: () => R, real: () => T | Promise<T>): Promise<[R, T] | undefined> {
    const expected = codeOrResult(wanted)
    let found: { code?: unknown; result?: T }
    try {
      found = { result: await this.destination.settled(real()) }
    } catch (error) {
      if (!(error instanceof ChangeError)) throw error
      found = { code: error.code }
    }
    assert.equal(found.code, expected.code, 'the reason for which it is refused')
    if (expected.code !== undefined) this.refused++
    return expected.code === undefined ? [expected.result as R, found.result as T] : undefined
  }

  opened(node: Node, mode: OpenMode): void {
    node.opens++
    this.handles.push({ node, mode })
  }

  close(handle: Handle): void {
    this.handles.splice(this.handles.indexOf(handle), 1)
    this.changes.close(this.nodeid(handle.node), handle.mode)
    handle.node.opens--
    this.forgetIfGone(handle.node)
  }

  forgetIfGone(node: Node): void {
    if (!this.reference.isGone(node)) return
    // As the kernel does, but that lookups are not counted here.
    this.filesystem.forget(this.nodeid(node), 0)
    this.reference.nodes.delete(node)
    this.nodeids.delete(node)
  }

  /** What may fail once while the store is made to, and not twice. */
  async insisting(work: () => void | Promise<void>): Promise<void> {
    const { destination } = this
    try {
      await destination.settled(work())
    } catch (error) {
      const isMeant = (error as { code?: string }).code === 'access-denied'
      if (!isMeant) throw error
      destination.isDown = false
      destination.lostAnswers = 0
      await destination.settled(work())
    }
  }

  async publish(root: Node): Promise<void> {
    await this.destination.settled(Promise.allSettled(this.publishing))
    this.publishing = []
    await this.insisting(() => this.changes.fsyncFolder(this.nodeid(root), owner))
    await using reader = this.destination.mountReadOnly()
    const entry = await entryAt(reader.filesystem, `account/snap.${root.snapshot}`)
    assert.ok(entry, 'readers see it')
    await compareTree(reader.filesystem, this.reference, root, entry.attr.ino)
  }

  /** Ends the mount in a way, and goes on with another over what it has left. */
  async remount(end: 'unmount' | 'crash'): Promise<void> {
    if (end === 'unmount') await this.#mount[Symbol.asyncDispose]()
    else await this.#mount.crash()
    await this.destination.settled(Promise.allSettled(this.publishing))
    this.publishing = []
    this.handles = []
    this.reference.closeAll()
    this.#mount = await this.destination.settled(this.destination.mount())
    await this.compare()
  }

  /** All there is, and finds the nodeids of what has a name. */
  async compare(): Promise<void> {
    const found = new Map<Node, number>()
    const account = (await entryAt(this.filesystem, 'account'))?.attr.ino as number
    const names = await namesIn(this.filesystem, account)
    assert.deepEqual(names.filter((name) => name !== 'latest').sort(), [
      '.',
      '..',
      ...snapshots.map((number) => `snap.${number}`),
    ])
    for (const root of this.reference.roots) {
      const entry = await entryAt(this.filesystem, `account/snap.${root.snapshot}`)
      assert.ok(entry, `snap.${root.snapshot} is there`)
      await this.destination.settled(
        compareTree(this.filesystem, this.reference, root, entry.attr.ino, found),
      )
    }
    for (const [node, nodeid] of found) this.nodeids.set(node, nodeid)
  }

  async end(): Promise<void> {
    this.destination.isDown = false
    this.destination.lostAnswers = 0
    await this.#mount[Symbol.asyncDispose]()
  }
}

function codeOrResult<R>(work: () => R): { code?: string; result?: R } {
  try {
    return { result: work() }
  } catch (error) {
    if (error instanceof ChangeError) return { code: error.code }
    throw error
  }
}
