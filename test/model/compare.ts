import assert from 'node:assert/strict'
import type { SnapshotFilesystem } from '../../src/filesystem/snapshot-filesystem.ts'
import type { Attr } from '../../src/fuse/protocol.ts'
import { context, namesIn } from '../filesystem/memory-destination.ts'
import { isFile, isFolder, type Node, type Reference } from './reference.ts'

/** A node, or a part of it, is not what the reference says: throws `AssertionError`. */
export async function compareNode(
  filesystem: SnapshotFilesystem,
  reference: Reference,
  node: Node,
  nodeid: number,
): Promise<void> {
  const { attr } = await filesystem.getattr(nodeid, context)
  assert.deepEqual(shownOf(attr, node), wantedOf(reference, node))
  const xattrs = new Map<string, string>()
  for (const name of await filesystem.listxattr(nodeid, context)) {
    const value = await filesystem.getxattr(nodeid, name, context)
    xattrs.set(name, Buffer.from(value as Uint8Array).toString('latin1'))
  }
  assert.deepEqual(new Map([...xattrs].sort()), new Map([...node.xattrs].sort()))
  if (node.target !== undefined) assert.equal(await filesystem.readlink(nodeid, context), node.target)
  if (!isFile(node)) return
  await compareBytes(filesystem, node, nodeid, 0, node.bytes.length + 10)
  compareHoles(filesystem, node, nodeid)
}

export async function compareBytes(
  filesystem: SnapshotFilesystem,
  { bytes }: Node,
  nodeid: number,
  offset: number,
  length: number,
): Promise<void> {
  const found = Buffer.concat(await filesystem.read(nodeid, offset, length, context))
  const wanted = bytes.subarray(offset, offset + length)
  if (found.equals(wanted)) return
  const at = wanted.findIndex((byte, index) => byte !== found[index])
  assert.fail(
    `bytes ${offset} to ${offset + length}: there are ${found.length}, not ${wanted.length}, and they differ from ${at} on`,
  )
}

export async function compareNames(
  filesystem: SnapshotFilesystem,
  folder: Node,
  nodeid: number,
  room: number,
): Promise<void> {
  const names = await namesIn(filesystem, nodeid, { room })
  const ours = names.filter((name) => !['.', '..', 'jetbackup.index'].includes(name))
  assert.deepEqual(ours.sort(), [...folder.entries.keys()].sort())
}

/** All below `root`; what is found where goes into `found`: two names of a file are to be one node. */
export async function compareTree(
  filesystem: SnapshotFilesystem,
  reference: Reference,
  root: Node,
  nodeid: number,
  found = new Map<Node, number>(),
): Promise<void> {
  const known = found.get(root)
  if (known !== undefined) {
    assert.equal(nodeid, known)
    return
  }
  found.set(root, nodeid)
  await compareNode(filesystem, reference, root, nodeid)
  if (!isFolder(root)) return
  await compareNames(filesystem, root, nodeid, 7)
  for (const [name, child] of root.entries) {
    const entry = await filesystem.lookup(nodeid, name, context)
    if (entry === undefined) assert.fail(`${name} is not found`)
    await compareTree(filesystem, reference, child, entry.attr.ino, found)
  }
}

function shownOf(attr: Attr, { mtime }: Node): object {
  const { mode, nlink, uid, gid, rdev, size } = attr
  const shown = { mode: mode.toString(8), nlink, uid, gid, rdev, size }
  return mtime === undefined
    ? shown
    : { ...shown, mtime: { seconds: attr.mtime, nanoseconds: attr.mtimensec } }
}

function wantedOf(reference: Reference, node: Node): object {
  const { mode, uid, gid, rdev, target, bytes, mtime } = node
  const size = isFolder(node) ? 4096 : (target?.length ?? bytes.length)
  const wanted = { mode: mode.toString(8), nlink: reference.linksOf(node), uid, gid, rdev, size }
  return mtime === undefined ? wanted : { ...wanted, mtime }
}

/** What is said to be a hole has nothing but zeros. */
function compareHoles(filesystem: SnapshotFilesystem, { bytes }: Node, nodeid: number): void {
  for (let at = 0; at < bytes.length; ) {
    const data = filesystem.lseek(nodeid, at, 'data') ?? bytes.length
    assert.ok(data >= at && data <= bytes.length, 'data is where it is looked for')
    assert.ok(bytes.subarray(at, data).equals(Buffer.alloc(data - at)), `there is data in the hole at ${at}`)
    if (data === bytes.length) return
    at = filesystem.lseek(nodeid, data, 'hole') as number
    assert.ok(at > data && at <= bytes.length, 'a hole is behind the data')
  }
  assert.equal(filesystem.lseek(nodeid, bytes.length, 'data'), undefined)
}
