import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'smol-toml'
import { formatProblem } from '../../src/destination/settings/problem.ts'
import { type Mapping, parseMapping, shapeOf, usualTypes } from '../../src/foreign/mapping.ts'
import { mappingText, readMappingFile } from '../../src/foreign/mapping-file.ts'

const paths = `
database = "export/snap.{number}"
from = "entries"
[columns]
path = "p"
size = "len"
object = "oid"
`

/** What is said of a mapping with these lines beside, or in place of, those of `paths`. */
function complaints(top: string, columns = ''): readonly string[] {
  const table = { ...parse(paths), ...parse(top) }
  const { mapping, problems } = parseMapping(
    { ...table, columns: { ...(table.columns as object), ...parse(columns) } },
    { file: 'm.toml' },
  )
  const lines = problems.map((problem) => formatProblem(problem).replace('m.toml: ', ''))
  return mapping === undefined ? lines : ['nothing']
}

test('a mapping of rows with whole paths is completed', (t) => {
  const { mapping, problems } = parseMapping(parse(paths), { file: 'm.toml' })
  t.deepEqual(problems, [])
  t.deepEqual(mapping, {
    databases: ['export/snap.{number}'],
    from: 'entries',
    where: undefined,
    columns: { path: 'p', size: 'len', object: 'oid' },
    modeUnit: 'decimal',
    timeUnit: 's',
    types: usualTypes,
  })
  t.is(shapeOf(mapping!), 'paths')
})

test('each wrong field is one line', (t) => {
  const { problems } = parseMapping(
    parse(`
      databse = "export/snap.{number}"
      where = ""
      mode_unit = "octl"
      types = { file = ["1"], folder = ["1"], symlink = "3" }
      [columns]
      path = "p"
      parent = "up"
      size = 7
      objekt = "oid"
    `),
    { file: '/etc/jbfs/destinations.toml', destination: 'old' },
  )
  t.deepEqual(
    problems.map((problem) => formatProblem(problem).replace('/etc/jbfs/destinations.toml: [old] ', '')),
    [
      'index_mapping.databse is no field (did you mean database?): it must be one of database, from, where, mode_unit, time_unit, types, columns',
      'index_mapping.database is missing: it must be a key below the repository such as "export/snap.{number}", or a list of them (the second is called db2)',
      'index_mapping.from is missing: it must be SQL in quotes',
      'index_mapping.where is "": it must be SQL in quotes',
      'index_mapping.columns.objekt is no field (did you mean object?): it must be one of path, id, parent, name, type, mode, uid, gid, size, mtime, ctime, target, object, encoding, sha256, inode',
      'index_mapping.columns.size is 7: it must be SQL in quotes',
      'index_mapping.columns.parent is for rows without whole paths: leave it out, or path',
      'index_mapping.columns.object is missing: it must be SQL for its object: the key below the repository, or, without any slash, the name in files/',
      'index_mapping.mode_unit is "octl" (did you mean octal?): it must be one of decimal, octal, letters',
      'index_mapping.types.folder has "1", which is in types.file, too',
      'index_mapping.types.symlink is "3": it must be a list of what the column type says for it',
    ],
  )
})

test('databases lie below the repository', (t) => {
  const allowed =
    ': it must be a key below the repository such as "export/snap.{number}", or a list of them (the second is called db2)'
  t.deepEqual(complaints('database = "../other/export/full"'), [
    `database is "../other/export/full"${allowed}`,
  ])
  t.deepEqual(complaints('database = ["export/full", "/etc/passwd"]'), [
    `database has "/etc/passwd"${allowed}`,
  ])
  t.deepEqual(complaints('database = []'), [`database is a list${allowed}`])
  t.deepEqual(complaints('database = ["export/full", "export/snap.{number}"]'), ['nothing'])
})

test('a mapping is one table, with one for its columns', (t) => {
  const said = (value: unknown): readonly string[] =>
    parseMapping(value, { file: 'd.toml', destination: 'old' }).problems.map(({ text }) => text)
  t.deepEqual(said(7), ['is 7: it must be a table, or the name of a file that holds one'])
  t.deepEqual(said({ database: 'export/full', from: 't' }), [
    'is missing: it must be a table with an SQL expression for each column',
  ])
  t.deepEqual(said({ database: 'export/full', from: 't', columns: { size: 's', object: 'o' } }), [
    'is missing: rows need a path, or else id, parent and name',
  ])
})

test('what is written is read back as the same mapping', (t) => {
  const file = join(tmpdir(), `mapping-${process.pid}.toml`)
  t.teardown(() => rmSync(file, { force: true }))
  const mapping: Mapping = {
    databases: ['export/full', 'export/snap.{number}'],
    from: 'db2.f AS "f" JOIN o\n  USING (i)',
    where: "n = :number AND c = '\\'",
    columns: { id: 'i', parent: 'p', name: 'n', size: 's', mtime: 'm', object: "'files' || k", mode: 'x' },
    modeUnit: 'octal',
    timeUnit: 'iso',
    types: { file: ['1'], folder: ['2'], symlink: [], other: ['"'] },
  }
  const text = mappingText(mapping, { columns: { parent: '98 % of the values are ids' } })
  t.regex(text, /^parent = "p" # 98 % of the values are ids$/m)
  writeFileSync(file, text)
  t.deepEqual(readMappingFile(file), mapping)
  const { mapping: usual } = parseMapping(parse(paths), { file })
  writeFileSync(file, mappingText(usual!))
  t.deepEqual(readMappingFile(file), usual!)
})
