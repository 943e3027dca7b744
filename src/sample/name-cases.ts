import { linkSync } from 'node:fs'
import type { HardCase } from './hard-case.ts'
import { inside } from './tree-writer.ts'

/** NAME_MAX. */
const longestName = 255

/** Longer than any one name, and than what fits into an inode. */
const longTarget = `${'../'.repeat(40)}${'a-folder/'.repeat(200)}file`

const notUtf8 = Buffer.from([0x63, 0x61, 0x66, 0xe9])

/** What a name, and what a link by name, can be. */
export const nameCases: readonly HardCase[] = [
  {
    name: 'names-not-utf8',
    make: (tree, { created: modified }) => {
      // These three are the same once a decoder has replaced what it does not know.
      for (const byte of [0x80, 0xfe, 0xff])
        tree.file(inside(tree.root, Buffer.from([byte])), `name ${byte}`, { modified })
      tree.file(inside(tree.root, Buffer.from([0xed, 0xa0, 0x80])), 'half a surrogate pair', { modified })
      const folder = inside(tree.root, notUtf8)
      tree.folder(folder, { modified })
      tree.file(inside(folder, Buffer.concat([notUtf8, Buffer.from('.txt')])), 'latin1', { modified })
    },
  },
  {
    name: 'names-long',
    make: (tree, { created: modified }) => {
      tree.file(tree.at('x'.repeat(longestName)), 'ASCII', { modified })
      tree.file(tree.at('€'.repeat(longestName / 3)), '85 characters of three bytes', { modified })
      tree.folder(tree.at('d'.repeat(longestName)), { modified })
      tree.symlink(tree.at('l'.repeat(longestName)), 'x'.repeat(longestName), modified)
    },
  },
  {
    name: 'names-odd',
    make: (tree, { created: modified }) => {
      const names = [
        ' leading and trailing space ',
        'new\nline',
        '\n',
        'tab\tand\rreturn',
        '\x01\x1b[31m\x7f',
        '-rf',
        '--help',
        '-',
        '...',
        '.hidden',
        '~',
        '#half#',
        'back\\slash',
        '\\012',
        '*',
        '$(touch x)',
        '"double" \'single\' `back`',
        'a;b&c|d',
        'per%20cent',
        'q?x=1',
        'name:with:colons',
      ]
      for (const name of names) tree.file(tree.at(name), name, { modified })
    },
  },
  {
    name: 'names-alike',
    make: (tree, { created: modified }) => {
      for (const name of ['Case', 'case', 'ö'.normalize('NFC'), 'ö'.normalize('NFD')])
        tree.file(tree.at(name), name, { modified })
    },
  },
  {
    name: 'empty',
    make: (tree, { created: modified }) => {
      tree.file(tree.at('file'), '', { modified })
      tree.folder(tree.at('folder'), { modified })
      tree.folder(tree.at('folder/folder'), { modified })
    },
  },
  {
    name: 'hard-links',
    make: (tree, { created: modified, text }) => {
      tree.folder(tree.at('one'), { modified })
      tree.folder(tree.at('two'), { modified })
      tree.file(tree.at('one/first'), text.ofSize(20_000), { modified })
      tree.symlink(tree.at('one/symlink'), 'first', modified)
      for (const other of ['one/second', 'two/third']) {
        linkSync(tree.at('one/first'), tree.at(other))
        tree.count(tree.at(other))
      }
      linkSync(tree.at('one/symlink'), tree.at('two/symlink'))
    },
  },
  {
    name: 'symlinks',
    make: (tree, { created: modified }) => {
      tree.folder(tree.at('folder'), { modified })
      tree.file(tree.at('folder/file'), 'pointed at', { modified })
      tree.symlink(tree.at('relative'), 'folder/file', modified)
      tree.symlink(tree.at('to-folder'), 'folder', modified)
      tree.symlink(tree.at('folder/up'), '../folder/file', modified)
      tree.symlink(tree.at('absolute'), '/etc/hostname', modified)
      tree.symlink(tree.at('dangling'), 'no/such/file', modified)
      tree.symlink(tree.at('loop'), 'loop', modified)
      tree.symlink(tree.at('space'), ' ', modified)
      tree.symlink(tree.at('long'), longTarget, modified)
    },
  },
  {
    name: 'symlink-target-not-utf8',
    make: (tree, { created }) => {
      tree.symlink(tree.at('link'), notUtf8, created)
    },
  },
]
