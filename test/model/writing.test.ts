import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { validateHere } from './validate-here.ts'

validateHere()
const { ModelDestination } = await import('./mount.ts')
const { Choice, operations } = await import('./operations.ts')
const { Run } = await import('./run.ts')

/** Sequences of operations, and how many each has at most, mostly 4,000 to 10,000 in all: a longer run has more of them. */
const sequences = Number(process.env.JBFS_MODEL_SEQUENCES ?? 12)
const longest = 1500
/** Milliseconds for all sequences, and for finding a shorter one that fails, too: what is begun then is ended early. */
const timeLimit = Number(process.env.JBFS_MODEL_SECONDS ?? 30) * 1000
const seed = Number(process.env.JBFS_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31))

const step = fc.record({
  what: fc.oneof(
    ...operations.map(([weight, name]) => ({
      weight: Math.round(weight * 10),
      arbitrary: fc.constant(name),
    })),
  ),
  numbers: fc.array(fc.nat(2 ** 31 - 1), { minLength: 8, maxLength: 8 }),
})

const operationOf = new Map(operations.map(([, name, operation]) => [name, operation]))

test('whatever is done to snapshots in whatever order, they are what a simple reference says', async (t) => {
  t.timeout(timeLimit + 60_000)
  t.log(`JBFS_MODEL_SEED=${seed}`)
  let [done, refused] = [0, 0]
  const deadline = performance.now() + timeLimit
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: longest, size: 'max' }), async (steps) => {
      // Ends the search for a shorter one, too: it would go through all that there are, in minutes.
      if (performance.now() > deadline) throw new fc.PreconditionFailure(true)
      const folder = await mkdtemp(join(tmpdir(), 'jbfs-model-'))
      const run = await Run.begin(new ModelDestination(folder))
      try {
        for (const { what, numbers } of steps) {
          if (performance.now() > deadline) break
          await operationOf.get(what)?.(run, new Choice(numbers))
          done++
        }
        await run.compare()
        for (const root of run.reference.roots) await run.publish(root)
      } finally {
        refused += run.refused
        await run.end()
        await rm(folder, { recursive: true, force: true })
      }
    }),
    { seed, numRuns: sequences, includeErrorInReport: true },
  )
  t.log(`${done} operations, ${refused} of them refused`)
  t.pass()
})
