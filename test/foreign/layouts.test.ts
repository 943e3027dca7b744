import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import { foreignObjects, foreignRepository } from '../support/foreign/foreign-destination.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { temporaryFolder } from '../support/mounted.ts'

const magic = {
  zstd: '28b52ffd',
  gzip: '1f8b08',
  xz: 'fd377a585a00',
  bzip2: '425a68',
  sqlite: Buffer.from('SQLite format 3\0').toString('hex'),
  json: Buffer.from('{').toString('hex'),
}

test('whoever makes them shares nothing with the reader', async (t) => {
  const folder = resolve(import.meta.dirname, '../support/foreign')
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))
  t.true(files.length > 10)
  for (const file of files) {
    const text = await readFile(join(folder, file), 'utf8')
    const specifiers = [...text.matchAll(/ from '([^']+)'/g)].map((match) => match[1] as string)
    t.deepEqual(
      specifiers.filter((specifier) => !specifier.startsWith('node:') && !isBelow(folder, file, specifier)),
      [],
      file,
    )
  }
})

function isBelow(folder: string, file: string, specifier: string): boolean {
  return resolve(folder, file, '..', specifier).startsWith(folder)
}

for (const layout of foreignLayouts)
  test(`${layout.name}: the same bytes each time, wrapped as it says, with objects as it says`, async (t) => {
    await using folder = await temporaryFolder()
    const [first, second] = await Promise.all(
      ['a', 'b'].map(async (name) => {
        await mkdir(join(folder.path, name))
        return foreignObjects(layout, join(folder.path, name))
      }),
    )
    t.deepEqual(second, first)

    const { index, container, content, objects } = layout.truth
    const at = foreignRepository + index.replace('{number}', '3')
    const found = first?.find(({ key }) => key === at)?.bytes.toString('hex')
    t.true(found?.startsWith(magic[container === 'plain' ? content : container]))

    const stored = first?.filter(({ key }) => /\/files\d*\//.test(key)) ?? []
    t.true(stored.length > 40)
    const isGzip = (bytes: Buffer): boolean => bytes.toString('hex').startsWith(magic.gzip)
    // The dump of a database is one in all of them.
    t.is(stored.filter(({ bytes }) => isGzip(bytes)).length, objects === 'gzip' ? stored.length : 2)
  })
