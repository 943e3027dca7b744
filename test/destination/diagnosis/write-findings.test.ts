import test from 'ava'
import { writeFindings } from '../../../src/destination/diagnosis/write-findings.ts'
import { parseDestination } from '../../../src/destination/parse-destination.ts'
import { DirectoryStore } from '../../../src/store/directory-store.ts'
import { StoreError } from '../../../src/store/errors.ts'
import type { ObjectStore } from '../../../src/store/object-store.ts'
import { temporaryFolder } from '../../support/mounted.ts'

const trouble = new StoreError('unavailable', 'the server has trouble')

function failing(path: string, failure: Partial<ObjectStore>): ObjectStore {
  const store = new DirectoryStore(path)
  return {
    description: store.description,
    get: (key, options) => store.get(key, options),
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    parts: store.parts,
    put: (key, body, options) => store.put(key, body, options),
    delete: (keys, options) => store.delete(keys, options),
    ...failure,
  }
}

test('what cannot be read back is a fault that is told, and is removed', async (t) => {
  await using folder = await temporaryFolder()
  const store = failing(folder.path, { get: () => Promise.reject(trouble) })
  const [write, conditions] = await Array.fromAsync(writeFindings(store, parseDestination(folder.path), {}))
  t.is(write?.state, 'bad')
  t.regex(write?.text ?? '', /cannot be read back: the server has trouble/)
  t.is(conditions?.state, 'good')
  t.deepEqual(await Array.fromAsync(store.list('')), [])
})

test('who is interrupted leaves nothing', async (t) => {
  await using folder = await temporaryFolder()
  const interrupt = new AbortController()
  const get: ObjectStore['get'] = async (_, { signal } = {}) => {
    interrupt.abort(new Error('interrupted'))
    signal?.throwIfAborted()
    return undefined
  }
  const store = failing(folder.path, { get })
  const finding = writeFindings(store, parseDestination(folder.path), { signal: interrupt.signal })
  await t.throwsAsync(Array.fromAsync(finding), { message: 'interrupted' })
  t.deepEqual(await Array.fromAsync(store.list('')), [])
})

test('a put that arrives and fails leaves nothing', async (t) => {
  await using folder = await temporaryFolder()
  const directory = new DirectoryStore(folder.path)
  const put: ObjectStore['put'] = async (...args) => {
    await directory.put(...args)
    throw trouble
  }
  const store = failing(folder.path, { put })
  const [write] = await Array.fromAsync(writeFindings(store, parseDestination(folder.path), {}))
  t.is(write?.state, 'bad')
  t.deepEqual(await Array.fromAsync(store.list('')), [])
})

test('a server that fails is not said to ignore conditions', async (t) => {
  await using folder = await temporaryFolder()
  const directory = new DirectoryStore(folder.path)
  const put: ObjectStore['put'] = async (key, body, options = {}) => {
    if (options.ifNoneMatch !== undefined) throw trouble
    return await directory.put(key, body, options)
  }
  const store = failing(folder.path, { put })
  const [write, conditions] = await Array.fromAsync(writeFindings(store, parseDestination(folder.path), {}))
  t.is(write?.state, 'good')
  t.is(conditions?.state, 'untried')
})
