import { statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { AllocateKind } from '../../src/snapshot/writable-tree.ts'
import { StagedFile } from '../../src/staging/staged-file.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

async function newFile(t: ExecutionContext): Promise<StagedFile> {
  return new StagedFile(join(await temporaryFolder(t), 'file'), { isNew: true })
}

const text = (file: StagedFile): string => Buffer.from(file.read(0, 1000)).toString()

test('bytes are where they were written, and fewer only at the end', async (t) => {
  const file = await newFile(t)
  t.is(file.size, 0)
  t.is(text(file), '')
  file.write(Buffer.from('world'), 6)
  file.write(Buffer.from('hello'), 0)
  t.is(text(file), 'hello\0world')
  t.deepEqual(file.read(9, 10), Buffer.from('ld'))
  t.deepEqual(file.read(11, 10), Buffer.alloc(0))
  file.resize(3)
  file.resize(5)
  t.is(text(file), 'hel\0\0')
  file.close()
  const again = new StagedFile(file.path, { isNew: false })
  t.is(text(again), 'hel\0\0')
  again.remove()
  t.throws(() => statSync(file.path), { code: 'ENOENT' })
  t.throws(() => new StagedFile(file.path, { isNew: false }), { code: 'staging-failed' })
})

test('each kind of fallocate(2)', async (t) => {
  const done = async (how: AllocateKind): Promise<string> => {
    const file = await newFile(t)
    file.write(Buffer.from('0123456789'), 0)
    file.allocate({ offset: 8, length: 4 }, how)
    file.sync()
    const found = text(file)
    file.close()
    return found
  }
  t.is(await done('allocate'), '0123456789\0\0')
  t.is(await done('allocateKeepingSize'), '0123456789')
  t.is(await done('punch'), '01234567\0\0')
  t.is(await done('zero'), '01234567\0\0\0\0')
  t.is(await done('zeroKeepingSize'), '01234567\0\0')
})

test('holes are found, and are made by punching', async (t) => {
  const file = await newFile(t)
  const piece = 1 << 16
  file.resize(piece * 4)
  file.write(Buffer.alloc(piece, 1), piece)
  t.deepEqual(file.ranges(), [{ offset: piece, length: piece }])
  t.is(file.seek(0, 'data'), piece)
  t.is(file.seek(piece, 'hole'), piece * 2)
  t.is(file.seek(piece * 2, 'data'), undefined)
  t.is(file.seek(piece * 2, 'hole'), piece * 2)
  t.is(file.seek(piece * 4, 'hole'), undefined)
  file.allocate({ offset: 0, length: piece * 4 }, 'punch')
  t.deepEqual(file.ranges(), [])
  t.is(file.blocks, 0)
  file.close()
})

test('what is given up at the start of a file is no change of it', async (t) => {
  const file = await newFile(t)
  file.write(Buffer.alloc(1 << 16, 1), 0)
  utimesSync(file.path, 5, 5)
  file.free(1 << 15)
  t.is(file.begins, 1 << 15)
  t.is(file.written, 5000)
  file.close()
})

test('a file larger than the file system can have is said so', async (t) => {
  const file = await newFile(t)
  t.throws(() => file.resize(2 ** 53 - 1), { name: 'ChangeError', code: 'too-large' })
  t.is(file.size, 0)
  file.close()
})
