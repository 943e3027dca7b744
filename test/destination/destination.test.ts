import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { acquireDestination, openDestination } from '../../src/destination/destination.ts'
import { parseDestination } from '../../src/destination/parse-destination.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { createMetrics } from '../../src/store/with-metrics.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('a destination opened for reading has nothing that writes', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'files'))
  await writeFile(join(folder.path, 'files/a'), 'content')
  const metrics = createMetrics()
  using destination = openDestination(parseDestination(folder.path), { logger: silentLogger, metrics })
  const { reader, description } = destination
  t.is(description, folder.path)
  t.is(String((await reader.get(objectKey('files/a')))?.bytes), 'content')
  t.like(metrics, { get: 1, bytesIn: 7, put: 0 })
  t.false('put' in reader || 'delete' in reader || 'store' in destination)
})

test('a destination acquired for writing writes', async (t) => {
  await using folder = await temporaryFolder()
  await using destination = await acquireDestination(parseDestination(folder.path), {
    logger: silentLogger,
    owner: { id: 'this', host: 'here', name: 'here' },
    program: 'test',
  })
  await destination.store.put(objectKey('files/a'), Buffer.from('content'))
  t.is(await readFile(join(folder.path, 'files/a'), 'utf8'), 'content')
})

test('a server without checked certificates is worth a warning', (t) => {
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) }
  const parsed = parseDestination('s3://bucket/path')
  using _checked = openDestination(parsed, { logger })
  t.deepEqual(warnings, [])
  using unchecked = openDestination({ ...parsed, store: { ...parsed.store, verifySsl: false } }, { logger })
  t.is(unchecked.description, 's3://bucket/path')
  t.is(warnings.length, 1)
})
