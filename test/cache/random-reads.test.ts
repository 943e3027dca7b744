import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { silentLogger } from '../../src/base/log.ts'
import type { Blob } from '../../src/cache/blob-source.ts'
import { DiskTier } from '../../src/cache/disk-tier.ts'
import { ObjectCache } from '../../src/cache/object-cache.ts'
import { readaheadDefaults } from '../../src/cache/readahead.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { blobOf, noise } from './recording-reader.ts'

/** Everything a thousand times smaller, so that little data meets many edges. */
const small = {
  wholeLimit: 4096,
  readahead: {
    ...readaheadDefaults,
    blockBytes: 1024,
    initial: 1024,
    largest: 65536,
    tolerance: 16384,
    largestRequest: 8192,
  },
}

async function folder(t: { teardown(fn: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'jbfs-cache-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

test('reads in any order, of any blob, in parallel, give the right bytes', async (t) => {
  const root = await folder(t)
  const store = new DirectoryStore(root)
  const contents: Buffer[] = []
  const blobs: Blob[] = []
  for (const size of [1, 1000, 4096, 4097, 10_240, 50_000, 300_001]) {
    const bytes = noise(size, size)
    const blob = blobOf(`files/${size}`, bytes)
    await store.put(blob.key, bytes)
    contents.push(bytes)
    blobs.push(blob)
  }
  const step = fc.record({
    blob: fc.nat(blobs.length - 1),
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    length: fc.integer({ min: 0, max: 20_000 }),
    /** How many reads of this length go on from there. */
    run: fc.integer({ min: 1, max: 12 }),
    backwards: fc.boolean(),
    prefetch: fc.boolean(),
    abort: fc.integer({ min: 0, max: 9 }),
    lend: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.constantFrom(8192, 65_536, 1 << 20),
      fc.boolean(),
      async (steps, memoryBytes, usesDisk) => {
        await using disk = usesDisk
          ? await DiskTier.open({ folder: join(root, 'cache'), maxBytes: 200_000, logger: silentLogger })
          : undefined
        await using cache = new ObjectCache({ store, memoryBytes, disk, logger: silentLogger, ...small })
        const readings = steps.map(
          async ({ blob: index, at, length, run, backwards, prefetch, abort, lend }) => {
            const blob = blobs[index] as Blob
            const content = contents[index] as Buffer
            if (prefetch) cache.prefetch(blobs)
            const start = Math.floor(at * content.length)
            const offsets = Array.from({ length: run }, (_, i) => start + i * length).filter(
              (o) => o < content.length,
            )
            if (backwards) offsets.reverse()
            await Promise.all(
              offsets.map(async (offset, i) => {
                const range = { offset, length: Math.min(length, content.length - offset) }
                const controller = new AbortController()
                const reading = cache.read(blob, range, { signal: controller.signal, lend })
                if (i === abort) {
                  controller.abort()
                  await Promise.allSettled([reading])
                  return
                }
                const pieces = await reading
                // What is not lent stays what it is.
                if (!lend) await new Promise(setImmediate)
                const bytes = Buffer.concat(pieces)
                if (!bytes.equals(content.subarray(offset, offset + range.length)))
                  throw new Error(`wrong bytes of ${blob.key} at ${offset}`)
              }),
            )
          },
        )
        await Promise.all(readings)
        if (cache.metrics.bytesHeld > memoryBytes) throw new Error(`${cache.metrics.bytesHeld} bytes held`)
        if (cache.metrics.corrupt > 0) throw new Error('found corrupt')
      },
    ),
    { numRuns: 60 },
  )
  t.pass()
})
