import { createHash, randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext, TestFn } from 'ava'
import {
  type ListPage,
  type ObjectKey,
  type ObjectStore,
  objectKey,
  smallestPart,
  type UploadPart,
} from '../../src/store/object-store.ts'
import { testUnless } from '../support/test-unless.ts'

export interface StoreFixture extends AsyncDisposable {
  readonly store: ObjectStore
}

export interface ConformanceOptions {
  /** For titles. */
  readonly name: string
  /** An empty store of its own for each test. */
  readonly open: () => Promise<StoreFixture>
  /** Why it cannot be tested here. */
  readonly reason?: string | undefined
  /** Keys that this store refuses as `invalid`. */
  readonly refused?: readonly string[]
}

const text = (store: ObjectStore, key: string): Promise<string | undefined> =>
  store.get(objectKey(key)).then((body) => body?.bytes.toString())

async function listed(
  pages: AsyncIterable<ListPage>,
): Promise<{ keys: string[]; prefixes: string[]; pages: number }> {
  const all = { keys: [] as string[], prefixes: [] as string[], pages: 0 }
  for await (const { objects, prefixes } of pages) {
    all.keys.push(...objects.map(({ key }) => key))
    all.prefixes.push(...prefixes)
    all.pages++
  }
  return all
}

/** What every object store must do; run on the directory store and on S3 against each real server. */
export function objectStoreSuite(
  test: TestFn,
  { name, open, reason, refused = [] }: ConformanceOptions,
): void {
  const storeTest = (
    title: string,
    body: (t: ExecutionContext, store: ObjectStore) => Promise<void>,
  ): void => {
    testUnless(test.serial, reason)(`${name}: ${title}`, async (t) => {
      await using fixture = await open()
      await body(t, fixture.store)
    })
  }
  const put = (store: ObjectStore, key: string, content = key): Promise<unknown> =>
    store.put(objectKey(key), Buffer.from(content))

  storeTest('what is put is got, with its size and etag', async (t, store) => {
    const written = await store.put(objectKey('a/b'), Buffer.from('content'))
    const body = await store.get(objectKey('a/b'))
    t.is(body?.bytes.toString(), 'content')
    t.is(body?.size, 7)
    t.is(body?.etag, written.etag)
    const head = await store.head(objectKey('a/b'))
    t.like(head, { key: objectKey('a/b'), size: 7, etag: written.etag })
    t.true(Math.abs((head?.modified ?? 0) - Date.now()) < 60_000)
    await put(store, 'a/b', 'another')
    t.not((await store.head(objectKey('a/b')))?.etag, written.etag)
  })

  storeTest('an empty object is one', async (t, store) => {
    await put(store, 'empty', '')
    t.is((await store.get(objectKey('empty')))?.bytes.length, 0)
    t.is((await store.head(objectKey('empty')))?.size, 0)
  })

  storeTest('ranges are exact, and cut at the end', async (t, store) => {
    await put(store, 'key', '0123456789')
    const range = async (offset: number, length: number): Promise<unknown> => {
      const body = await store.get(objectKey('key'), { range: { offset, length } })
      return [body?.bytes.toString(), body?.size]
    }
    t.deepEqual(await range(0, 3), ['012', 10])
    t.deepEqual(await range(9, 1), ['9', 10])
    t.deepEqual(await range(7, 100), ['789', 10])
    await t.throwsAsync(range(10, 1), { code: 'invalid' })
  })

  storeTest('a missing key is a value', async (t, store) => {
    const missing = objectKey('no/such/key')
    t.is(await store.get(missing), undefined)
    t.is(await store.get(missing, { range: { offset: 0, length: 1 } }), undefined)
    t.is(await store.getStream(missing), undefined)
    t.is(await store.head(missing), undefined)
    await store.delete([missing])
    await put(store, 'file')
    t.is(await store.get(objectKey('file/below')), undefined)
  })

  storeTest('a listing is in order, and rolls up at the delimiter', async (t, store) => {
    for (const key of ['b', 'a/2', 'a/1', 'a!', 'a0', 'c/d/e', 'ä']) await put(store, key)
    const flat = await listed(store.list(''))
    t.deepEqual(flat.keys, ['a!', 'a/1', 'a/2', 'a0', 'b', 'c/d/e', 'ä'])
    const top = await listed(store.list('', { delimiter: '/' }))
    t.deepEqual(
      [top.keys, top.prefixes],
      [
        ['a!', 'a0', 'b', 'ä'],
        ['a/', 'c/'],
      ],
    )
    t.deepEqual((await listed(store.list('a/', { delimiter: '/' }))).keys, ['a/1', 'a/2'])
    t.deepEqual((await listed(store.list('a'))).keys, ['a!', 'a/1', 'a/2', 'a0'])
    t.deepEqual((await listed(store.list('c/d/e/f'))).keys, [])
    t.deepEqual((await listed(store.list('nothing/'))).keys, [])
  })

  storeTest('a listing goes on beyond 1,000 keys, and deleting many works', async (t, store) => {
    const keys = Array.from({ length: 2150 }, (_, i) => objectKey(`many/${String(i).padStart(5, '0')}`))
    for (let i = 0; i < keys.length; i += 50)
      await Promise.all(keys.slice(i, i + 50).map((key) => store.put(key, Buffer.from('x'))))
    const all = await listed(store.list('many/', { delimiter: '/' }))
    t.deepEqual(all.keys, keys)
    t.true(all.pages >= 3)
    await store.delete(keys.slice(0, 2100))
    t.is((await listed(store.list('many/'))).keys.length, 50)
  })

  storeTest('a listing goes on behind any of its names', async (t, store) => {
    const keys = ['0', 'a!', 'a/1', 'a/2', 'a0', 'b/c/d', 'b/c0', 'z', 'ﬀ', '😀']
    for (const key of keys) await put(store, key)
    for (const [i, after] of keys.entries())
      t.deepEqual((await listed(store.list('', { after }))).keys, keys.slice(i + 1), after)
    const behind = async (prefix: string, after: string): Promise<string[]> => {
      const found = await listed(store.list(prefix, { delimiter: '/', after }))
      return [...found.prefixes, ...found.keys]
    }
    t.deepEqual(await behind('', '0'), ['a/', 'b/', 'a!', 'a0', 'z', 'ﬀ', '😀'])
    t.deepEqual(await behind('', 'a/'), ['b/', 'a0', 'z', 'ﬀ', '😀'])
    t.deepEqual(await behind('', 'b/'), ['z', 'ﬀ', '😀'])
    t.deepEqual(await behind('b/', 'b/c/'), ['b/c0'])
    t.deepEqual(await behind('', '😀'), [])
  })

  storeTest('odd keys are kept apart', async (t, store) => {
    const odd = [
      'sp ace',
      'pl+us',
      'per%20cent',
      'que?stion',
      'ha#sh',
      'am&p=er',
      'quo\'te"s',
      'ünï/cödé',
      '(paren)*!',
      'new\nline',
      'back\\slash',
      '-dash',
      '.hidden',
      '%2F',
      'plane 1: 😀',
      'composed é, decomposed e\u0301',
      `${'long'.repeat(60)}/x`,
      Array.from({ length: 20 }, (_, i) => `folder ${i} ${'x'.repeat(25)}`).join('/'),
      'colon:semi;comma,@$',
    ]
    for (const key of odd) {
      if (refused.includes(key)) continue
      await put(store, key)
      t.is(await text(store, key), key)
      t.is((await store.head(objectKey(key)))?.size, Buffer.byteLength(key))
    }
    const kept = odd.filter((key) => !refused.includes(key))
    t.deepEqual((await listed(store.list(''))).keys.toSorted(), kept.toSorted())
  })

  for (const key of refused)
    storeTest(`the key ${JSON.stringify(key)} is refused`, async (t, store) => {
      await t.throwsAsync(put(store, key, 'x'), { code: 'invalid' })
      await t.throwsAsync(store.get(objectKey(key)), { code: 'invalid' })
    })

  storeTest('If-None-Match: of many writers exactly one wins', async (t, store) => {
    const key = objectKey('once')
    const attempts = Array.from({ length: 10 }, (_, i) =>
      store.put(key, Buffer.from(`writer ${i}`), { ifNoneMatch: '*' }).then(
        () => i,
        (error: { code: string }) => error.code,
      ),
    )
    const results = await Promise.all(attempts)
    const winners = results.filter((result) => typeof result === 'number')
    t.is(winners.length, 1)
    t.deepEqual(new Set(results.filter((result) => typeof result === 'string')), new Set(['exists']))
    t.is(await text(store, 'once'), `writer ${winners[0]}`)
  })

  storeTest('If-Match: only what was read is replaced, and read', async (t, store) => {
    const key = objectKey('key')
    const { etag } = await store.put(key, Buffer.from('one'))
    await store.put(key, Buffer.from('two'), { ifMatch: etag })
    await t.throwsAsync(store.put(key, Buffer.from('three'), { ifMatch: etag }), { code: 'changed' })
    t.is(await text(store, 'key'), 'two')
    await t.throwsAsync(store.get(key, { ifMatch: etag }), { code: 'changed' })
    const now = await store.head(key)
    t.is((await store.get(key, { ifMatch: now?.etag }))?.bytes.toString(), 'two')
    await store.delete([key])
    await t.throwsAsync(store.put(key, Buffer.from('four'), { ifMatch: etag }), { code: 'changed' })
    t.is(await store.head(key), undefined)
  })

  storeTest('an abort before, and one under way, rejects with its reason', async (t, store) => {
    const key: ObjectKey = objectKey('large')
    await store.put(key, randomBytes(8 << 20))
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await t.throwsAsync(store.get(key, { signal }), { is: reason })
    await t.throwsAsync(store.head(key, { signal }), { is: reason })
    await t.throwsAsync(listed(store.list('', { signal })), { is: reason })
    await t.throwsAsync(store.put(objectKey('never'), Buffer.from('x'), { signal }), { is: reason })
    t.is(await store.head(objectKey('never')), undefined)
    const controller = new AbortController()
    const reading = store.get(key, { signal: controller.signal })
    controller.abort(reason)
    await t.throwsAsync(reading, { is: reason })
    t.is((await store.get(key))?.size, 8 << 20)
    const streaming = new AbortController()
    const stream = await store.getStream(key, { signal: streaming.signal })
    const reader = stream?.body[Symbol.asyncIterator]()
    await reader?.next()
    streaming.abort(reason)
    await t.throwsAsync(
      async () => {
        // What had come before may still be given out.
        while ((await reader?.next())?.done === false);
      },
      { is: reason },
    )
  })

  storeTest('a stream gives all of an object, a range of it, or as much as is wanted', async (t, store) => {
    const bytes = randomBytes(3_000_000)
    const key = objectKey('streamed')
    await store.put(key, bytes)
    const all = async (range?: { offset: number; length: number }): Promise<Buffer> => {
      const stream = await store.getStream(key, { range })
      t.is(stream?.size, bytes.length)
      return Buffer.concat(await Array.fromAsync(stream?.body ?? []))
    }
    t.true((await all()).equals(bytes))
    t.true((await all({ offset: 1_000_000, length: 1_500_000 })).equals(bytes.subarray(1_000_000, 2_500_000)))
    t.true((await all({ offset: 2_999_999, length: 10 })).equals(bytes.subarray(2_999_999)))
    await t.throwsAsync(store.getStream(key, { range: { offset: 3_000_000, length: 1 } }), {
      code: 'invalid',
    })
    await t.throwsAsync(store.getStream(key, { ifMatch: '"other"' }), { code: 'changed' })
    for (let i = 0; i < 100; i++)
      for await (const piece of (await store.getStream(key))?.body ?? []) {
        t.true(piece.length > 0)
        break
      }
    await put(store, 'empty', '')
    t.deepEqual(await Array.fromAsync((await store.getStream(objectKey('empty')))?.body ?? []), [])
  })

  storeTest('many requests at a time each get their own', async (t, store) => {
    const keys = Array.from({ length: 200 }, (_, i) => objectKey(`key ${i}`))
    await Promise.all(keys.map((key, i) => store.put(key, Buffer.alloc(i * 300, key))))
    const bodies = await Promise.all(keys.map((key) => store.get(key)))
    for (const [i, key] of keys.entries()) t.true(bodies[i]?.bytes.equals(Buffer.alloc(i * 300, key)), key)
  })

  storeTest('large objects go up in parts, from memory and from ranges of a file', async (t, store) => {
    const bytes = randomBytes(40 << 20)
    await store.put(objectKey('memory'), bytes)
    t.true((await store.get(objectKey('memory')))?.bytes.equals(bytes))
    const path = join(tmpdir(), `jbfs-conformance-${randomBytes(6).toString('hex')}`)
    await writeFile(path, bytes)
    try {
      const ranges = [
        { offset: 5, length: 20 << 20 },
        { offset: (39 << 20) + 3, length: 1000 },
      ]
      const expected = Buffer.concat(
        ranges.map(({ offset, length }) => bytes.subarray(offset, offset + length)),
      )
      await store.put(objectKey('file'), { path, ranges })
      const stream = await store.getStream(objectKey('file'))
      const pieces: Buffer[] = []
      for await (const piece of stream?.body ?? []) pieces.push(Buffer.from(piece))
      t.true(Buffer.concat(pieces).equals(expected))
      await store.put(objectKey('small file'), { path, ranges: [{ offset: 1, length: 3 }] })
      t.true((await store.get(objectKey('small file')))?.bytes.equals(bytes.subarray(1, 4)))
    } finally {
      await rm(path)
    }
  })

  storeTest('a put of a file that has become shorter leaves nothing', async (t, store) => {
    const path = join(tmpdir(), `jbfs-conformance-${randomBytes(6).toString('hex')}`)
    await writeFile(path, 'short')
    try {
      await t.throwsAsync(store.put(objectKey('key'), { path, ranges: [{ offset: 0, length: 20 << 20 }] }))
      t.is(await store.head(objectKey('key')), undefined)
    } finally {
      await rm(path)
    }
  })

  storeTest('an object grows in parts that nobody sees before it is whole', async (t, store) => {
    const key = objectKey('a/growing')
    const bytes = randomBytes(2 * smallestPart + 1000)
    const part = (number: number): UploadPart => {
      const offset = (number - 1) * smallestPart
      return { number, offset, bytes: bytes.subarray(offset, offset + smallestPart) }
    }
    const upload = await store.parts.begin(key)
    // In any order, and one of them twice.
    await store.parts.put(key, upload, { number: 1, offset: 0, bytes: randomBytes(smallestPart) })
    const [third, first] = await Promise.all(
      [3, 1].map((number) => store.parts.put(key, upload, part(number))),
    )
    t.is(await store.head(key), undefined)
    t.deepEqual((await listed(store.list(''))).keys, [])
    const second = await store.parts.put(key, upload, part(2))
    const sent = [first, second, third] as string[]
    const whole = await store.parts.complete(key, upload, sent, { size: bytes.length })
    t.is(whole.size, bytes.length)
    // Who has not heard the answer asks again.
    t.is((await store.parts.complete(key, upload, sent, { size: bytes.length })).size, bytes.length)
    t.is((await store.head(key))?.etag, whole.etag)
    t.true((await store.get(key))?.bytes.equals(bytes))
  })

  storeTest('an upload that is given up leaves nothing, and cannot be gone on with', async (t, store) => {
    const key = objectKey('a/growing')
    const upload = await store.parts.begin(key)
    const part = { number: 1, offset: 0, bytes: Buffer.from('content') }
    const sent = await store.parts.put(key, upload, part)
    await store.parts.abandon(key, upload)
    await store.parts.abandon(key, upload)
    await t.throwsAsync(store.parts.put(key, upload, part), { code: 'changed' })
    await t.throwsAsync(store.parts.complete(key, upload, [sent], { size: 7 }), { code: 'changed' })
    t.is(await store.head(key), undefined)
  })

  storeTest('a body whose SHA-256 is known is stored', async (t, store) => {
    const bytes = randomBytes(100_000)
    const sha256 = createHash('sha256').update(bytes).digest()
    await store.put(objectKey('hashed'), bytes, { sha256 })
    t.true((await store.get(objectKey('hashed')))?.bytes.equals(bytes))
  })
}
