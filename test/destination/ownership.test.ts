import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { Lease } from '../../src/destination/lease.ts'
import type { Owner } from '../../src/destination/owner-record.ts'
import { OwnerFile } from '../../src/destination/ownership.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import type { ObjectStore, PutOptions } from '../../src/store/object-store.ts'
import { temporaryFolder } from '../support/mounted.ts'

const here: Owner = { id: 'here', host: 'web1', name: 'web1' }

/** The same store, which honours no more than these conditions of a put. */
function honouring(path: string, conditions: readonly (keyof PutOptions)[]): ObjectStore {
  const store = new DirectoryStore(path)
  const kept = ({ ifNoneMatch, ifMatch, signal }: PutOptions): PutOptions => ({
    ...(conditions.includes('ifNoneMatch') && { ifNoneMatch }),
    ...(conditions.includes('ifMatch') && { ifMatch }),
    signal,
  })
  return {
    description: store.description,
    get: (key, options) => store.get(key, options),
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    parts: store.parts,
    put: (key, body, options = {}) => store.put(key, body, kept(options)),
    delete: (keys, options) => store.delete(keys, options),
  }
}

function acquire(store: ObjectStore): Promise<Lease> {
  const options = {
    owner: here,
    program: 'jbfs test',
    description: 'test',
    takeover: 'jbfs …',
    logger: silentLogger,
  }
  return Lease.acquire({ ...options, file: new OwnerFile(store) })
}

test('of two who begin at once at a store that ignores conditions one is refused before it writes', async (t) => {
  await using folder = await temporaryFolder()
  const store = honouring(folder.path, [])
  const results = await Promise.allSettled([acquire(store), acquire(store)])
  const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  t.is(held.length, 1)
  for (const lease of held) await lease[Symbol.asyncDispose]()
})

test('a store is found out that honours If-None-Match and ignores If-Match', async (t) => {
  await using folder = await temporaryFolder()
  const file = new OwnerFile(honouring(folder.path, ['ifNoneMatch']))
  t.truthy(await file.replace(undefined, { owner: here, token: 1, lease: undefined }))
  t.false(file.isConditional)
})

test('a lease is not refused to who has got it, and only not heard of it', async (t) => {
  await using folder = await temporaryFolder()
  const store = honouring(folder.path, ['ifNoneMatch', 'ifMatch'])
  let isLost = false
  // As `withRetry` does when an answer is lost: the second try meets what the first one has put.
  const put: ObjectStore['put'] = async (...args) => {
    if (!isLost) await store.put(...args)
    isLost = true
    return await store.put(...args)
  }
  await using lease = await acquire({ ...store, put })
  lease.check()
  t.is(lease.token, 1)
})
