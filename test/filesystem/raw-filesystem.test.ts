import test from 'ava'
import { RawFilesystem } from '../../src/filesystem/raw-filesystem.ts'
import type { ListOptions, ListPage } from '../../src/store/object-store.ts'
import { MemoryReader } from '../support/memory-reader.ts'
import { context, entryAt, namesIn, RoomySink } from './memory-destination.ts'

/** Lists some keys at a time, and counts what it is asked. */
class PagedReader extends MemoryReader {
  pages = 0
  heads = 0

  override async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ListPage> {
    for await (const { objects, prefixes } of super.list(prefix, options)) {
      const all = [...objects, ...prefixes]
      for (let at = 0; at < all.length; at += 10) {
        this.pages++
        const page = all.slice(at, at + 10)
        yield {
          objects: page.filter((found) => typeof found !== 'string'),
          prefixes: page.filter((found) => typeof found === 'string'),
        }
      }
    }
  }

  override head(...args: Parameters<MemoryReader['head']>): ReturnType<MemoryReader['head']> {
    this.heads++
    return super.head(...args)
  }
}

function rawFilesystem(objects: Readonly<Record<string, string>>): {
  reader: PagedReader
  filesystem: RawFilesystem
  changed: number[]
} {
  const reader = new PagedReader(objects)
  const changed: number[] = []
  const filesystem = new RawFilesystem({
    reader,
    source: { read: ({ key }) => [Buffer.from(reader.objects.get(key) as string)], prefetch: () => 0 },
    onChange: ({ folder }) => void changed.push(folder),
    uid: 5,
    gid: 6,
  })
  return { reader, filesystem, changed }
}

const keyAt = async (filesystem: RawFilesystem, path: string): Promise<string | undefined> => {
  const entry = await entryAt(filesystem, path)
  return entry && filesystem.getxattr(entry.attr.ino, 'user.jbfs.key')?.toString()
}

test('shows every key below its folders, those of a repository too', async (t) => {
  const { filesystem } = rawFilesystem({
    'job/acme/files/1': 'one',
    'job/acme/export/snap.1': 'index',
    'job/acme/snap.1/jetbackup.index': '{}',
    'jetbackup.owner': '{}',
  })
  t.deepEqual(await namesIn(filesystem, 1), ['.', '..', 'jetbackup.owner', 'job'])
  const repository = await entryAt(filesystem, 'job/acme')
  t.like(repository?.attr, { mode: 0o40555, uid: 5, gid: 6 })
  t.deepEqual(await namesIn(filesystem, repository?.attr.ino as number), [
    '.',
    '..',
    'export',
    'files',
    'snap.1',
  ])
  const object = await entryAt(filesystem, 'job/acme/files/1')
  t.like(object?.attr, { mode: 0o100400, size: 3 })
  const pieces = await filesystem.read(object?.attr.ino as number, 0, 4096, context)
  t.is(Buffer.concat(pieces).toString(), 'one')
})

test('every key has a name, whatever its shape, and can be reached by it', async (t) => {
  const long = 'x'.repeat(300)
  const keys = [
    'plain',
    'with space%20and%',
    '/leading',
    'two//slashes',
    './dot',
    '../up',
    `${long}/file`,
    `${long.slice(1)}`,
    'both',
    'both/inside',
    'marked/',
    'marked/more',
    'full/',
    'nul\0',
    'new\nline',
    'naïve',
  ]
  const { filesystem } = rawFilesystem(
    Object.fromEntries(keys.map((key) => [key, key === 'marked/' ? '' : key])),
  )
  const seen: string[] = []
  const visit = async (folder: number): Promise<void> => {
    for (const name of await namesIn(filesystem, folder, { room: 3 })) {
      if (name === '.' || name === '..') continue
      t.regex(name, /^[^/\0]{1,255}$/)
      const entry = await filesystem.lookup(folder, name, context)
      if (entry === undefined) return t.fail(`${name} cannot be reached`)
      const { ino, mode } = entry.attr
      if (mode === 0o40555) await visit(ino)
      else seen.push(String(filesystem.getxattr(ino, 'user.jbfs.key')))
    }
  }
  await visit(1)
  t.deepEqual(
    seen.sort(),
    keys.filter((key) => key !== 'marked/').sort(),
    'an empty object that only stands for a folder is none of its files',
  )
})

test('names that only stand for a key are found before anybody has listed the folder', async (t) => {
  const { filesystem } = rawFilesystem({ 'a//b': 'x', c: 'y', 'c/d': 'z' })
  t.is(await keyAt(filesystem, 'a/%/b'), 'a//b')
  t.is(await keyAt(filesystem, 'c'), 'c')
  t.is(await keyAt(filesystem, 'c%/d'), 'c/d')
  t.is(await keyAt(filesystem, 'none%'), undefined)
})

const many = Object.fromEntries(Array.from({ length: 95 }, (_, n) => [`files/${n + 100}`, 'x']))

test('one name of a large folder is asked for alone', async (t) => {
  const { reader, filesystem } = rawFilesystem(many)
  t.is(await keyAt(filesystem, 'files/150'), 'files/150')
  t.is(await keyAt(filesystem, 'files/absent'), undefined)
  t.is(reader.heads, 4)
  t.is(reader.pages, 2, 'each time one of the folder, to see that it is one')
})

test('a folder is listed page by page, once, as far as somebody gets', async (t) => {
  const { reader, filesystem } = rawFilesystem(many)
  const files = (await entryAt(filesystem, 'files'))?.attr.ino as number
  reader.pages = 0
  await filesystem.readdir(files, 0, new RoomySink(5), context)
  t.is(reader.pages, 1)
  t.is((await namesIn(filesystem, files, { room: 7 })).length, 97)
  t.is(reader.pages, 10)
  reader.heads = 0
  t.is(await filesystem.lookup(files, 'absent', context), undefined)
  t.is(reader.heads, 0, 'the whole listing is known')
})

test('a refresh has folders that were listed asked for again, and leaves whoever is going through one alone', async (t) => {
  const { reader, filesystem, changed } = rawFilesystem(many)
  const files = (await entryAt(filesystem, 'files'))?.attr.ino as number
  const names = await namesIn(filesystem, files, {
    room: 30,
    between: async () => {
      reader.objects.delete('files/100')
      filesystem.refresh()
    },
  })
  t.is(names.length, 97)
  t.deepEqual(changed, [files])
  t.is((await namesIn(filesystem, files)).length, 96)
  t.is(await keyAt(filesystem, 'files/100'), undefined)
})

test('another content is another inode, and what the kernel has forgotten is gone', async (t) => {
  const { reader, filesystem } = rawFilesystem({ a: 'one' })
  const first = (await entryAt(filesystem, 'a'))?.attr.ino as number
  reader.objects.set('a', 'two')
  const second = (await entryAt(filesystem, 'a'))?.attr.ino as number
  t.not(second, first)
  filesystem.forget(first, 1)
  t.throws(() => filesystem.getattr(first), { code: 'ESTALE' })
  t.is(filesystem.getattr(second).attr.size, 3)
})

test('a listing that fails is begun anew', async (t) => {
  const { reader, filesystem } = rawFilesystem({ a: '' })
  reader.beforeList = () => {
    reader.beforeList = () => {}
    throw new Error('not now')
  }
  await t.throwsAsync(async () => filesystem.readdir(1, 0, new RoomySink(9), context), { message: 'not now' })
  t.deepEqual(await namesIn(filesystem, 1), ['.', '..', 'a'])
})
