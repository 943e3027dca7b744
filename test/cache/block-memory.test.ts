import test from 'ava'
import { BlockArena, type Slab } from '../../src/cache/block-arena.ts'
import { BlockMemory, blockMemoryDefaults, type Tenant } from '../../src/cache/block-memory.ts'

const blockBytes = 16

function arenaOf(blocks: number): BlockArena {
  return new BlockArena({ blockBytes, chunkBlocks: 8, maxBytes: blocks * blockBytes })
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test('slabs do not overlap, and there are no more than there is memory', (t) => {
  const arena = arenaOf(32)
  const slabs: Slab[] = []
  for (const count of [1, 2, 4, 8, 1, 1, 3])
    for (let slab = arena.take(count); slab !== undefined && slabs.length < 40; slab = arena.take(8))
      slabs.push(slab)
  for (let slab = arena.take(1); slab !== undefined; slab = arena.take(1)) slabs.push(slab)
  for (const [i, { bytes }] of slabs.entries()) bytes.fill(i + 1)
  for (const [i, { bytes }] of slabs.entries()) t.true(bytes.every((byte) => byte === i + 1))
  t.is(
    slabs.reduce((sum, { bytes }) => sum + bytes.length, 0),
    32 * blockBytes,
  )
  t.is(arena.blocksFree, 0)
  t.is(arena.take(1), undefined)
})

test('a number of blocks that is no power of two takes the next one', (t) => {
  t.is(arenaOf(8).take(3)?.bytes.length, 4 * blockBytes)
  t.is(arenaOf(8).take(9), undefined)
})

test('memory is taken as it is needed, used again, and not before the next turn', async (t) => {
  const arena = arenaOf(32)
  t.is(arena.bytes, 0)
  const first = arena.take(8) as Slab
  t.is(arena.bytes, 8 * blockBytes)
  arena.give(first)
  const second = arena.take(8) as Slab
  t.not(second.chunk, first.chunk)
  await nextTurn()
  for (let i = 0; i < 100; i++) {
    const slab = arena.take(8) as Slab
    arena.give(slab)
    await nextTurn()
  }
  t.is(arena.bytes, 16 * blockBytes)
})

test('small slabs that were given back make room for large ones', async (t) => {
  const arena = arenaOf(8)
  const small = Array.from({ length: 8 }, () => arena.take(1) as Slab)
  for (const slab of small) arena.give(slab)
  await nextTurn()
  t.truthy(arena.take(8))
})

interface Lodger extends Tenant {
  slab: Slab | undefined
}

function lodge(memory: BlockMemory, slab: Slab): Lodger {
  const lodger: Lodger = {
    slab,
    count: slab.count,
    evict() {
      memory.give(slab)
      lodger.slab = undefined
    },
  }
  memory.hold(lodger, 'ahead')
  return lodger
}

test('what nobody waits for leaves room, and evicts only what is behind', (t) => {
  const memory = new BlockMemory(arenaOf(64), () => 0)
  const lodgers: Lodger[] = []
  for (let slab = memory.reserveAhead(8); slab !== undefined; slab = memory.reserveAhead(8))
    lodgers.push(lodge(memory, slab))
  t.is(lodgers.length * 8, 64 * blockMemoryDefaults.aheadShare)
  t.true(lodgers.every(({ slab }) => slab !== undefined))
})

test('only a little stays behind readers, the latest', (t) => {
  const memory = new BlockMemory(arenaOf(64), () => 0)
  const lodgers = [0, 1, 2].map(() => lodge(memory, memory.reserveAhead(8) as Slab))
  for (const lodger of lodgers) memory.hold(lodger, 'behind')
  t.deepEqual(
    lodgers.map(({ slab }) => slab !== undefined),
    [false, false, true],
  )
})

test('who waits takes the place of what is behind, then of what is ahead, the longest unused first', async (t) => {
  const memory = new BlockMemory(arenaOf(8), () => 0)
  const slabs = await Promise.all([
    memory.reserve(4),
    memory.reserve(2),
    memory.reserve(1),
    memory.reserve(1),
  ])
  const [a, b, c, d] = slabs.map((slab) => lodge(memory, slab as Slab)) as [Lodger, Lodger, Lodger, Lodger]
  memory.hold(c, 'behind')
  t.truthy(await memory.reserve(1))
  t.is(c.slab, undefined)
  memory.hold(a, 'ahead')
  t.truthy(await memory.reserve(2))
  t.is(b.slab, undefined)
  t.truthy(a.slab)
  t.truthy(d.slab)
})

test('who waits gets nothing when all of it is in use', async (t) => {
  const memory = new BlockMemory(arenaOf(8), () => 0)
  t.truthy(await memory.reserve(8))
  t.is(await memory.reserve(1), undefined)
})

test('what was fetched for a reader who went away makes room after a while', (t) => {
  let now = 0
  const memory = new BlockMemory(arenaOf(64), () => now)
  const fill = (): number => {
    let count = 0
    for (let slab = memory.reserveAhead(8); slab !== undefined; slab = memory.reserveAhead(8)) {
      lodge(memory, slab)
      count++
    }
    return count
  }
  t.is(fill(), 7)
  t.is(fill(), 0)
  now += blockMemoryDefaults.unreadLifetime
  t.true(fill() > 0)
})
