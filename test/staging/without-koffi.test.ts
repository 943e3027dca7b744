import Module from 'node:module'
import { join } from 'node:path'
import test from 'ava'
import { StagedFile } from '../../src/staging/staged-file.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

const resolving = Module as unknown as { _resolveFilename: (request: string, ...rest: unknown[]) => string }
const resolve = resolving._resolveFilename
resolving._resolveFilename = (request, ...rest) => {
  if (request === 'koffi') throw new Error('it is not installed')
  return resolve(request, ...rest)
}

test('where nobody can tell of holes, a staged file is data throughout', async (t) => {
  const file = new StagedFile(join(await temporaryFolder(t), 'file'), { isNew: true })
  t.teardown(() => file.close())
  t.is(file.seek(0, 'data'), undefined)
  file.write(Buffer.from('far'), 1 << 20)
  const { size } = file
  t.deepEqual(file.ranges(), [{ offset: 0, length: size }])
  t.is(file.seek(5, 'data'), 5)
  t.is(file.seek(5, 'hole'), size)
  t.is(file.seek(size, 'hole'), undefined)
  file.allocate({ offset: (1 << 20) + 1, length: 1 }, 'punch')
  t.deepEqual(file.read(1 << 20, 9), Buffer.from('f\0r'))
  t.throws(() => file.allocate({ offset: 0, length: 9 }, 'allocate'), { code: 'not-possible' })
})
