import { createHash } from 'node:crypto'
import test from 'ava'
import { readObjects } from '../../src/maintenance/read-objects.ts'
import type { Verdict } from '../../src/maintenance/verify-object.ts'
import { StoreError } from '../../src/store/errors.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { MemoryReader } from '../support/memory-reader.ts'

const names = Array.from({ length: 100 }, (_, n) => `object${n}`)

function* expected(): Iterable<{ key: ReturnType<typeof objectKey>; size: number; sha256: Buffer }> {
  for (const name of names)
    yield { key: objectKey(name), size: name.length, sha256: createHash('sha256').update(name).digest() }
}

class FailingReader extends MemoryReader {
  readonly #fails: (key: string) => boolean
  mostAtOnce = 0
  #now = 0

  constructor(fails: (key: string) => boolean) {
    super(Object.fromEntries(names.map((name) => [name, name])))
    this.#fails = fails
  }

  override async get(key: ReturnType<typeof objectKey>): ReturnType<MemoryReader['get']> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#now)
    await new Promise((resolve) => setImmediate(resolve))
    this.#now--
    if (this.#fails(key)) throw new StoreError('unavailable', `${key}: cannot be read`)
    return super.get(key)
  }
}

async function read(reader: MemoryReader): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>()
  await readObjects(reader, expected(), {
    concurrency: 4,
    onBytes: () => {},
    onVerdict: ({ key }, verdict) => verdicts.set(key, verdict),
  })
  return verdicts
}

test('each object has a verdict; a few that cannot be read are findings', async (t) => {
  const reader = new FailingReader((key) => key === 'object7' || key === 'object50')
  reader.objects.delete('object8')
  reader.objects.set('object9', 'OBJECT9')
  const verdicts = await read(reader)
  t.is(verdicts.size, names.length)
  t.is(reader.mostAtOnce, 4)
  const { object7, object8, object9, object50, ...others } = Object.fromEntries(verdicts)
  t.true(object7 instanceof StoreError && object50 instanceof StoreError)
  t.deepEqual([object8, object9], ['missing', 'altered'])
  t.true(Object.values(others).every((verdict) => verdict === 'good'))
})

test('a store that gives nothing any more ends it', async (t) => {
  const reader = new FailingReader((key) => Number(key.slice('object'.length)) >= 30)
  await t.throwsAsync(read(reader), { instanceOf: StoreError, code: 'unavailable' })
})
