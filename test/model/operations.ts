import { setImmediate as turn } from 'node:timers/promises'
import type { AllocateKind, AttributeChanges, Entry } from '../../src/fuse/operations.ts'
import { ChangeError } from '../../src/snapshot/errors.ts'
import { compareBytes, compareNames, compareNode } from './compare.ts'
import { type At, isFolder, type Kind, type Node } from './reference.ts'
import { type Handle, owner, type Run } from './run.ts'

/** Decisions of one operation, from numbers that a generator gives. */
export class Choice {
  readonly #numbers: readonly number[]
  #at = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  /** 0 … `limit` - 1. */
  below(limit: number): number {
    const number = this.#numbers[this.#at++ % this.#numbers.length] as number
    return number % limit
  }

  of<T>(things: readonly T[]): T {
    return things[this.below(things.length)] as T
  }
}

export type Operation = (run: Run, choice: Choice) => Promise<void>

const names = ['a', 'b', 'c', 'd', 'e', '\xff\xfe', 'x'.repeat(255)]
const xattrNames = ['user.a', 'user.b', 'security.c']
const modes = [0o644, 0o600, 0o4755, 0o6755, 0o2745, 0o7777, 0]
const folderModes = [0o755, 0o2775, 0o1777, 0o700]
const writing = { writes: true }

/** In most cases something that is not refused; what is refused has to be tried, too. */
function mostly<T>(choice: Choice, likely: readonly T[], any: () => T): T {
  return likely.length === 0 || choice.below(6) === 0 ? any() : choice.of(likely)
}

function placeOf(run: Run, choice: Choice): At {
  return { folder: choice.of(run.folders()), name: choice.of(names) }
}

/** Mostly without anything there, and of a certain snapshot. */
function freePlace(run: Run, choice: Choice, snapshot?: number): At {
  const free = run
    .folders()
    .filter((folder) => folder.names > 0 && (snapshot ?? folder.snapshot) === folder.snapshot)
    .flatMap((folder) => names.filter((name) => !folder.entries.has(name)).map((name) => ({ folder, name })))
  return mostly(choice, free, () => placeOf(run, choice))
}

/** Mostly the name of such a node. */
function placeWith(run: Run, choice: Choice, isWanted: (node: Node) => boolean): At {
  const taken = run
    .folders()
    .flatMap((folder) => [...folder.entries].map(([name, node]) => ({ at: { folder, name }, node })))
    .filter(({ node }) => isWanted(node))
    .map(({ at }) => at)
  return mostly(choice, taken, () => placeOf(run, choice))
}

function writerOf(run: Run, choice: Choice): Handle | undefined {
  const writers = run.handles.filter(({ mode }) => mode.writes)
  return writers.length === 0 ? undefined : choice.of(writers)
}

function bytesOf(choice: Choice): Buffer {
  const bytes = Buffer.alloc(1 + choice.below(5000), choice.below(256))
  bytes.writeUInt8(choice.below(256), bytes.length - 1)
  return bytes
}

function offsetIn({ bytes }: Node, choice: Choice): number {
  return choice.of([0, bytes.length, choice.below(bytes.length + 1), choice.below(30_000), 1 << 18])
}

function sizeFor({ bytes }: Node, choice: Choice): number {
  return choice.of([0, bytes.length, choice.below(bytes.length + 1), choice.below(40_000), 300_000])
}

/** What both have made is one node from now on. */
function made(run: Run, done: readonly [Node, Entry] | undefined): Node | undefined {
  if (done === undefined) return undefined
  const [node, { attr }] = done
  const known = run.nodeids.get(node)
  if (known !== undefined && known !== attr.ino) throw new Error('a node has got another number')
  run.nodeids.set(node, attr.ino)
  return node
}

async function makes(
  run: Run,
  choice: Choice,
  node: { mode: number; rdev?: number; target?: string },
  real: (parent: number, name: string) => Entry | Promise<Entry>,
): Promise<Node | undefined> {
  const at = freePlace(run, choice)
  const { uid, gid } = owner
  const done = await run.both(
    () => run.reference.make(at, { ...node, uid, gid }),
    () => real(run.nodeid(at.folder), at.name),
  )
  return made(run, done)
}

async function sets(run: Run, node: Node, changes: AttributeChanges): Promise<void> {
  await run.both(
    () => {
      node.version++
      node.mode = changes.mode === undefined ? node.mode : (node.mode & 0o170000) | changes.mode
      if (changes.clearSetuid && changes.mode === undefined && !isFolder(node))
        run.reference.clearSetuid(node)
      node.uid = changes.uid ?? node.uid
      node.gid = changes.gid ?? node.gid
      if (changes.mtime !== undefined) node.mtime = changes.mtime === 'now' ? undefined : changes.mtime
    },
    () => run.changes.setAttributes(run.nodeid(node), changes, owner),
  )
}

export const operations: readonly (readonly [weight: number, name: string, operation: Operation])[] = [
  [
    8,
    'create',
    async (run, choice) => {
      const mode = choice.of(modes)
      const node = await makes(run, choice, { mode: 0o100000 | mode }, (parent, name) =>
        run.changes.create(parent, name, { mode, umask: 0 }, writing, owner),
      )
      if (node !== undefined) run.opened(node, writing)
    },
  ],
  [
    1,
    'create without a name',
    async (run, choice) => {
      const folder = choice.of(run.folders())
      const { uid, gid } = owner
      const done = await run.both(
        () => run.reference.make(folder, { mode: 0o100600, uid, gid }),
        () => run.changes.createUnnamed(run.nodeid(folder), { mode: 0o600, umask: 0 }, writing, owner),
      )
      const node = made(run, done)
      if (node !== undefined) run.opened(node, writing)
    },
  ],
  [
    4,
    'mkdir',
    async (run, choice) => {
      const mode = choice.of(folderModes)
      await makes(run, choice, { mode: 0o40000 | mode }, (parent, name) =>
        run.changes.makeFolder(parent, name, { mode, umask: 0 }, owner),
      )
    },
  ],
  [
    1,
    'symlink',
    async (run, choice) => {
      const target = choice.of(['a', '../b', '\xff'.repeat(4095)])
      await makes(run, choice, { mode: 0o120777, target }, (parent, name) =>
        run.changes.makeSymlink(parent, name, target, owner),
      )
    },
  ],
  [
    1,
    'mknod',
    async (run, choice) => {
      const mode = choice.of([0o010644, 0o020600, 0o060600, 0o140755, 0o100644])
      const rdev = mode === 0o020600 || mode === 0o060600 ? choice.of([0x103, 0xffff_ffff]) : 0
      await makes(run, choice, { mode, rdev }, (parent, name) =>
        run.changes.makeNode(parent, name, { mode, umask: 0 }, rdev, owner),
      )
    },
  ],
  [
    4,
    'link',
    async (run, choice) => {
      const nodes = [...run.reference.nodes]
      const node = mostly(
        choice,
        nodes.filter((other) => !isFolder(other)),
        () => choice.of(nodes),
      )
      const at = freePlace(run, choice)
      const done = await run.both(
        () => run.reference.link(node, at),
        () => run.changes.link(run.nodeid(node), run.nodeid(at.folder), at.name, owner),
      )
      made(run, done)
    },
  ],
  [
    7,
    'unlink',
    async (run, choice) => {
      const at = placeWith(run, choice, (node) => !isFolder(node))
      const node = at.folder.entries.get(at.name)
      await run.both(
        () => run.reference.unlink(at),
        () => run.changes.unlink(run.nodeid(at.folder), at.name, owner),
      )
      if (node !== undefined) run.forgetIfGone(node)
    },
  ],
  [
    4,
    'rmdir',
    async (run, choice) => {
      const at = placeWith(run, choice, (node) => isFolder(node) && node.entries.size === 0)
      await run.both(
        () => run.reference.removeFolder(at),
        () => run.changes.removeFolder(run.nodeid(at.folder), at.name, owner),
      )
    },
  ],
  [
    6,
    'rename',
    async (run, choice) => {
      const from = placeWith(run, choice, () => true)
      const how = choice.of<Kind>(['replace', 'replace', 'keep', 'exchange'])
      const { snapshot } = from.folder
      const to =
        how === 'keep' || choice.below(2) === 0
          ? freePlace(run, choice, snapshot)
          : placeWith(run, choice, (node) => node.snapshot === snapshot)
      const there = to.folder.entries.get(to.name)
      await run.both(
        () => run.reference.rename(from, to, how),
        () => run.changes.rename(run.place(from), run.place(to), how, owner),
      )
      if (there !== undefined && !isFolder(there)) run.forgetIfGone(there)
    },
  ],
  [
    6,
    'open',
    async (run, choice) => {
      const files = run.files()
      if (files.length === 0) return
      const node = choice.of(files)
      const mode = { writes: choice.below(3) > 0 }
      await run.both(
        () => {},
        () => run.changes.open(run.nodeid(node), mode, owner),
      )
      run.opened(node, mode)
    },
  ],
  [
    9,
    'close',
    async (run, choice) => {
      if (run.handles.length > 0) run.close(choice.of(run.handles))
    },
  ],
  [
    14,
    'write',
    async (run, choice) => {
      const handle = writerOf(run, choice)
      if (handle === undefined) return
      const { node } = handle
      const [offset, bytes, clearSetuid] = [offsetIn(node, choice), bytesOf(choice), choice.below(4) === 0]
      const lent = Buffer.from(bytes)
      await run.both(
        () => {
          run.reference.write(node, offset, bytes)
          if (clearSetuid) run.reference.clearSetuid(node)
        },
        () => {
          const done = run.changes.write(run.nodeid(node), offset, lent, clearSetuid, owner)
          lent.fill(0xee)
          return done
        },
      )
    },
  ],
  [
    2,
    'two writes at a time',
    async (run, choice) => {
      const handle = writerOf(run, choice)
      if (handle === undefined) return
      const { node } = handle
      const [first, second] = [bytesOf(choice), bytesOf(choice)]
      const offset = offsetIn(node, choice)
      const nodeid = run.nodeid(node)
      await run.both(
        () => {
          run.reference.write(node, offset, first)
          run.reference.write(node, offset + first.length, second)
        },
        () =>
          Promise.all([
            run.changes.write(nodeid, offset, Buffer.from(first), false, owner),
            run.changes.write(nodeid, offset + first.length, Buffer.from(second), false, owner),
          ]),
      )
    },
  ],
  [
    5,
    'truncate',
    async (run, choice) => {
      const files = run.files()
      if (files.length === 0) return
      const node = choice.of(files)
      const [size, clearSetuid] = [sizeFor(node, choice), choice.below(4) === 0]
      await run.both(
        () => {
          run.reference.resize(node, size)
          if (clearSetuid) run.reference.clearSetuid(node)
        },
        () => run.changes.setAttributes(run.nodeid(node), { size, clearSetuid }, owner),
      )
    },
  ],
  [
    3,
    'allocate',
    async (run, choice) => {
      const handle = writerOf(run, choice)
      if (handle === undefined) return
      const { node } = handle
      const how = choice.of<AllocateKind>([
        'allocate',
        'allocateKeepingSize',
        'punch',
        'zero',
        'zeroKeepingSize',
      ])
      const range = { offset: offsetIn(node, choice), length: 1 + choice.below(20_000) }
      await run.both(
        () => {
          const { bytes } = node
          if (how === 'allocate' || how === 'zero')
            run.reference.resize(node, Math.max(bytes.length, range.offset + range.length))
          if (how === 'allocate' || how === 'allocateKeepingSize') run.reference.zero(node, 0, 0)
          else run.reference.zero(node, range.offset, range.length)
        },
        () => run.changes.allocate(run.nodeid(node), range, how, owner),
      )
    },
  ],
  [
    3,
    'copy_file_range',
    async (run, choice) => {
      const handle = writerOf(run, choice)
      if (handle === undefined) return
      const { node } = handle
      const source = choice.of(run.files())
      if (source === node) return
      const isWhole = choice.below(2) === 0
      const from = isWhole ? 0 : offsetIn(source, choice)
      const to = isWhole ? 0 : offsetIn(node, choice)
      const length = isWhole ? source.bytes.length + 1 : 1 + choice.below(20_000)
      const done = await run.both(
        () => {
          node.version++
          const bytes = source.bytes.subarray(from, from + length)
          if (bytes.length > 0) run.reference.write(node, to, bytes)
          return bytes.length
        },
        () =>
          run.changes.copyRange(
            { nodeid: run.nodeid(source), offset: from },
            { nodeid: run.nodeid(node), offset: to },
            length,
            owner,
          ),
      )
      if (done !== undefined && done[0] !== done[1])
        throw new Error(`${done[1]} bytes copied, not ${done[0]}`)
    },
  ],
  [
    2,
    'chmod',
    async (run, choice) => {
      const node = choice.of([...run.reference.nodes])
      await sets(run, node, { mode: choice.of([...modes, ...folderModes]), clearSetuid: false })
    },
  ],
  [
    2,
    'chown',
    async (run, choice) => {
      const node = choice.of([...run.reference.nodes])
      const [uid, gid] = [choice.of([undefined, 0, 2 ** 32 - 2]), choice.of([undefined, 7])]
      await sets(run, node, { uid, gid, clearSetuid: choice.below(2) === 0 })
    },
  ],
  [
    2,
    'utimens',
    async (run, choice) => {
      const node = choice.of([...run.reference.nodes])
      const mtime = choice.of([
        'now' as const,
        { seconds: -5_000_000_000, nanoseconds: 999_999_999 },
        { seconds: 1_700_000_000 + choice.below(1000), nanoseconds: choice.below(1_000_000_000) },
      ])
      await sets(run, node, { mtime, clearSetuid: false })
    },
  ],
  [
    3,
    'setxattr',
    async (run, choice) => {
      const node = choice.of([...run.reference.nodes])
      const name = choice.of(xattrNames)
      const value = choice.of(['', 'value', '\0\xff', 'x'.repeat(5000)])
      const how = choice.of(['any', 'create', 'replace'] as const)
      await run.both(
        () => {
          node.version++
          const isThere = node.xattrs.has(name)
          if (how === 'create' && isThere) throw new ChangeError('attribute-taken')
          if (how === 'replace' && !isThere) throw new ChangeError('no-attribute')
          node.xattrs.set(name, value)
        },
        () => run.changes.setxattr(run.nodeid(node), name, Buffer.from(value, 'latin1'), how, owner),
      )
    },
  ],
  [
    1,
    'removexattr',
    async (run, choice) => {
      const all = [...run.reference.nodes].flatMap((node) => xattrNames.map((name) => ({ node, name })))
      const { node, name } = mostly(
        choice,
        all.filter((one) => one.node.xattrs.has(one.name)),
        () => choice.of(all),
      )
      await run.both(
        () => {
          node.version++
          if (!node.xattrs.delete(name)) throw new ChangeError('no-attribute')
        },
        () => run.changes.removexattr(run.nodeid(node), name, owner),
      )
    },
  ],
  [
    6,
    'read',
    async (run, choice) => {
      const files = run.files()
      if (files.length === 0) return
      const node = choice.of(files)
      const offset = choice.below(node.bytes.length + 100)
      await compareBytes(run.filesystem, node, run.nodeid(node), offset, 1 + choice.below(20_000))
    },
  ],
  [
    4,
    'look at one',
    async (run, choice) => {
      const node = choice.of([...run.reference.nodes])
      await compareNode(run.filesystem, run.reference, node, run.nodeid(node))
      if (isFolder(node)) await compareNames(run.filesystem, node, run.nodeid(node), 1 + choice.below(4))
    },
  ],
  [
    2,
    'fsync',
    async (run, choice) => {
      if (run.handles.length === 0) return
      const { node } = choice.of(run.handles)
      await run.insisting(() => run.changes.fsync(run.nodeid(node), owner))
    },
  ],
  [6, 'let an upload end', async (run, choice) => run.destination.release(choice.below(8))],
  [
    2,
    'let time pass',
    async (_, choice) => {
      for (let i = choice.below(30); i >= 0; i--) await turn()
    },
  ],
  [
    2,
    'hold uploads, or not',
    async ({ destination }, choice) => {
      destination.isHolding = choice.below(3) > 0
    },
  ],
  [
    0.3,
    'the store fails, or recovers',
    async ({ destination }, choice) => {
      if (choice.below(2) === 0) destination.isDown = !destination.isDown
      else destination.lostAnswers = choice.below(3)
    },
  ],
  [
    1,
    'publish',
    async (run, choice) => {
      await run.publish(choice.of(run.reference.roots))
    },
  ],
  [
    0.6,
    'publish, and go on',
    async (run, choice) => {
      const root = run.nodeid(choice.of(run.reference.roots))
      const published = Promise.resolve(run.changes.fsyncFolder(root, owner))
      published.catch(() => {})
      run.publishing.push(published)
    },
  ],
  [0.5, 'remount', async (run) => run.remount('unmount')],
  [0.8, 'crash', async (run) => run.remount('crash')],
]
