/**
 * How fast the cache hands out a large object, beside a plain program that fetches the same bytes by parallel ranged requests from the same store.
 * Run it after a change of `src/cache/readahead.ts`, `large-blob.ts` or `memory-tier.ts`: `node scripts/bench-cache.ts [MiB] [latency in ms]`
 */
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { formatByteSize } from '../src/base/byte-size.ts'
import { silentLogger } from '../src/base/log.ts'
import type { Blob } from '../src/cache/blob-source.ts'
import { ObjectCache } from '../src/cache/object-cache.ts'
import { DirectoryStore } from '../src/store/directory-store.ts'
import { type ByteRange, type ObjectReader, objectKey } from '../src/store/object-store.ts'

const MiB = 1 << 20

async function makeObject(root: string, size: number): Promise<Blob> {
  await using file = await open(join(root, 'object'), 'w')
  const hash = createHash('sha256')
  const piece = Buffer.alloc(MiB)
  for (let offset = 0; offset < size; offset += piece.length) {
    piece.fill(`${offset} `)
    hash.update(piece)
    await file.write(piece)
  }
  return { key: objectKey('object'), size, sha256: hash.digest() }
}

/** Answers `latency` milliseconds later, as a store does that is far away. */
function far(store: ObjectReader, latency: number): ObjectReader {
  return {
    description: store.description,
    async get(key, options) {
      if (latency > 0) await delay(latency, undefined, { signal: options?.signal })
      return store.get(key, options)
    },
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
  }
}

/** Reads all of it in order, with so many reads under way as the kernel's read-ahead has. */
async function inOrder(
  size: number,
  step: number,
  parallel: number,
  read: (range: ByteRange) => unknown,
): Promise<void> {
  const underWay: unknown[] = []
  for (let offset = 0; offset < size; offset += step) {
    underWay.push(read({ offset, length: Math.min(step, size - offset) }))
    if (underWay.length >= parallel) await underWay.shift()
    // Requests of a kernel come one by one.
    else await Promise.resolve()
  }
  await Promise.all(underWay)
}

async function timed(name: string, work: () => Promise<void>, beside?: number): Promise<number> {
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  const share = ((cpu.user + cpu.system) / 1e6 / seconds).toFixed(2)
  const ratio = beside === undefined ? '' : `, ${(beside / seconds).toFixed(2)} of the plain program`
  console.log(`${name.padEnd(46)} ${formatByteSize(size / seconds).padStart(10)}/s, ${share} cores${ratio}`)
  return seconds
}

const size = Number(process.argv[2] ?? 512) * MiB
const latency = Number(process.argv[3] ?? 30)
const root = await mkdtemp(join(tmpdir(), 'jbfs-bench-'))
try {
  const blob = await makeObject(root, size)
  for (const delayed of [0, latency]) {
    console.log(`${formatByteSize(size)}, ${delayed} ms until the first byte`)
    const store = far(new DirectoryStore(root), delayed)
    const plain = await timed('  plain: 16 requests of 8 MiB at a time', () =>
      inOrder(size, 8 * MiB, 16, (range) => store.get(blob.key, { range })),
    )
    for (const [title, step, parallel] of [
      ['16 reads of 1 MiB at a time', MiB, 16],
      ['one read of 1 MiB at a time', MiB, 1],
      ['one read of 128 KiB at a time', 128 << 10, 1],
    ] as const) {
      await using cache = new ObjectCache({ store, logger: silentLogger })
      await timed(
        `  cache: ${title}`,
        () => inOrder(size, step, parallel, (range) => cache.read(blob, range, { lend: true })),
        plain,
      )
    }
  }
} finally {
  await rm(root, { recursive: true })
}
