import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { MountedSnapshot, type OpenTree } from '../../src/filesystem/mounted-snapshot.ts'
import { SnapshotError } from '../../src/snapshot/errors.ts'
import type { Tree } from '../../src/snapshot/tree.ts'

interface Opening {
  readonly signal: AbortSignal
  /** How often the tree that it gives was disposed of. */
  disposed: number
  succeed(): void
  fail(error: Error): void
}

function snapshotThat(openings: Opening[]): MountedSnapshot {
  const openTree: OpenTree = (_entry, _repository, { signal }) =>
    new Promise((resolve, reject) => {
      const opening: Opening = {
        signal: signal as AbortSignal,
        disposed: 0,
        succeed: () => resolve({ [Symbol.dispose]: () => void opening.disposed++ } as Tree),
        fail: reject,
      }
      openings.push(opening)
    })
  return new MountedSnapshot({
    slot: 1,
    repository: 'account/',
    parent: 1,
    entry: { number: 1, name: 'snap.1', manifestEtag: 'e', manifest: undefined, problem: undefined },
    openTree,
    logger: silentLogger,
  })
}

test('whoever comes while an index is being fetched waits for the same one, and may leave alone', async (t) => {
  const openings: Opening[] = []
  const snapshot = snapshotThat(openings)
  const impatient = new AbortController()
  const waits = [snapshot.tree({}), snapshot.tree({ signal: impatient.signal })] as const
  impatient.abort(new Error('enough'))
  await t.throwsAsync(async () => waits[1], { message: 'enough' })
  t.false(openings[0]?.signal.aborted)
  openings[0]?.succeed()
  t.is(await waits[0], snapshot.openedTree as Tree)
  t.is(await snapshot.tree({}), snapshot.openedTree as Tree)
  t.is(openings.length, 1)
})

test('what is wrong with the data is remembered until the next refresh, what is wrong with the way is not', async (t) => {
  const openings: Opening[] = []
  const snapshot = snapshotThat(openings)
  const tries = [new Error('no network'), new SnapshotError('bad-index', 'damaged')]
  for (const [i, error] of tries.entries()) {
    const waiting = snapshot.tree({})
    openings[i]?.fail(error)
    await t.throwsAsync(async () => waiting, { is: error })
  }
  await t.throwsAsync(async () => snapshot.tree({}), { code: 'bad-index' })
  t.is(openings.length, 2)
  snapshot.retry()
  const waiting = snapshot.tree({})
  openings[2]?.succeed()
  t.truthy(await waiting)
})

test('closing stops the fetching, and what comes all the same is disposed of', async (t) => {
  for (const end of ['succeed', 'fail'] as const) {
    const openings: Opening[] = []
    const snapshot = snapshotThat(openings)
    const waiting = snapshot.tree({})
    snapshot.close()
    t.true(openings[0]?.signal.aborted)
    openings[0]?.[end](new Error('aborted'))
    await t.throwsAsync(async () => waiting, { code: 'ESTALE' })
    t.is(openings[0]?.disposed, end === 'succeed' ? 1 : 0)
    t.is(snapshot.openedTree, undefined)
    await t.throwsAsync(async () => snapshot.tree({}), { code: 'ESTALE' })
    t.is(openings.length, 1)
  }
})

test('a superseded snapshot that nobody is in closes; with somebody in it, when they leave', async (t) => {
  for (const lookups of [0, 2]) {
    const openings: Opening[] = []
    const snapshot = snapshotThat(openings)
    const waiting = snapshot.tree({})
    openings[0]?.succeed()
    await waiting
    for (let i = 0; i < lookups; i++) snapshot.remembered()
    snapshot.supersede()
    if (lookups > 0) {
      t.is(openings[0]?.disposed, 0)
      snapshot.forgotten(lookups)
    }
    t.is(openings[0]?.disposed, 1)
    t.true(snapshot.isGone)
  }
})
