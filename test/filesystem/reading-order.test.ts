import test from 'ava'
import type { Blob, BlobSource } from '../../src/cache/blob-source.ts'
import { ReadingOrder } from '../../src/filesystem/reading-order.ts'
import type { Ino, Inode } from '../../src/snapshot/tree.ts'
import { objectKey } from '../../src/store/object-store.ts'

/** Files with every `step`-th number, of `size` bytes. */
function snapshot(count: number, { step = 1, size = 1000 } = {}) {
  const inos = Array.from({ length: count }, (_, i) => (2 + i * step) as Ino)
  return {
    inos,
    filesAfter(ino: Ino, wanted: number): Inode[] {
      const first = inos.findIndex((candidate) => candidate > ino)
      return (first === -1 ? [] : inos.slice(first, first + wanted)).map(
        (ino) =>
          ({
            ino,
            object: { id: '', key: objectKey(`files/${ino}`), size, sha256: Buffer.alloc(32) },
          }) as Inode,
      )
    },
  }
}

class Recorder implements BlobSource {
  readonly prefetched: string[] = []
  room = Number.POSITIVE_INFINITY

  read(): readonly Uint8Array[] {
    return []
  }

  prefetch(blobs: readonly Blob[]): number {
    const accepted = blobs.slice(0, this.room)
    this.prefetched.push(...accepted.map(({ key }) => key))
    return accepted.length
  }
}

test('one or two files read alone trigger nothing', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(100)
  order.started(files, 2 as Ino)
  order.started(files, 3 as Ino)
  order.started(files, 50 as Ino)
  order.started(files, 90 as Ino)
  t.deepEqual(source.prefetched, [])
})

test('reading the same file again and again triggers nothing', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(100)
  for (let i = 0; i < 10; i++) order.started(files, 7 as Ino)
  t.deepEqual(source.prefetched, [])
})

test('the third file in order sets prefetching off; every file is asked for once, in order', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(1000)
  for (const ino of files.inos) order.started(files, ino)
  const wanted = files.inos.slice(3).map((ino) => `files/${ino}`)
  t.deepEqual(source.prefetched, wanted)
})

test('numbers of folders and symlinks between the files do not break the order', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(50, { step: 40 })
  for (const ino of files.inos) order.started(files, ino)
  t.is(source.prefetched.length, 47)
})

test('two readers of one snapshot are followed both', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(2000)
  for (let i = 0; i < 20; i++) {
    order.started(files, files.inos[i] as Ino)
    order.started(files, files.inos[1000 + i] as Ino)
  }
  t.true(source.prefetched.includes(`files/${files.inos[25]}`))
  t.true(source.prefetched.includes(`files/${files.inos[1025]}`))
  t.is(new Set(source.prefetched).size, source.prefetched.length)
})

test('what the cache has no room for is asked for again later', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(200)
  source.room = 2
  for (const ino of files.inos.slice(0, 20)) order.started(files, ino)
  source.room = Number.POSITIVE_INFINITY
  for (const ino of files.inos.slice(20)) order.started(files, ino)
  const all = new Set(source.prefetched)
  for (const ino of files.inos.slice(25)) t.true(all.has(`files/${ino}`), String(ino))
})

test('large files are left to their own window', (t) => {
  const source = new Recorder()
  const order = new ReadingOrder(source)
  const files = snapshot(100, { size: 5 << 20 })
  for (const ino of files.inos) order.started(files, ino)
  t.deepEqual(source.prefetched, [])
})
