import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { runText } from '../support/run-jbfs.ts'

/** What bash offers after `source <(jbfs completion)`, for the last of the words. */
type Offered = (...words: string[]) => Promise<string[]>

const settings = ['offsite', 'other', 'copy']
  .map((name) => `[${name}]\nvendor = "amazon"\nbucket = "b-7"\nbackup_directory = "/${name}"\n`)
  .join('\n')

const askBash = `
source <(jbfs completion)
COMP_WORDS=(jbfs "$@")
COMP_CWORD=$#
_jbfs_yargs_completions
printf '%s\\n' "\${COMPREPLY[@]}"
`

function completionTest(
  title: string,
  body: (t: ExecutionContext, offered: Offered) => Promise<void>,
  written = settings,
): void {
  test(title, async (t) => {
    await using folder = await temporaryFolder()
    const config = join(folder.path, 'destinations.toml')
    await writeFile(config, written, { mode: 0o600 })
    await writeFile(
      join(folder.path, 'jbfs'),
      `#!/bin/sh\nexec '${process.execPath}' '${jbfsProgram}' "$@"\n`,
    )
    await chmod(join(folder.path, 'jbfs'), 0o755)
    const env = { PATH: `${folder.path}:${process.env.PATH}`, SHELL: '/bin/bash' }
    await body(t, async (...words) => {
      const { stdout, stderr } = await runText(
        ['bash', '-c', askBash, 'bash', '--config', config, ...words],
        { env },
      )
      t.is(stderr, '')
      return stdout.split('\n').filter(Boolean)
    })
  })
}

completionTest('names of destinations are offered where a command takes one', async (t, offered) => {
  t.deepEqual(await offered('mount', ''), ['offsite', 'other', 'copy'])
  t.deepEqual(await offered('snapshots', 'o'), ['offsite', 'other'])
  t.deepEqual(await offered('check', '--read-data', '--', 'c'), ['copy'])
  t.deepEqual(await offered('gc', 'of'), ['offsite'])
  t.deepEqual(await offered('import', './account', 'c'), ['copy'])
  t.deepEqual(await offered('destination', 'show', 'of'), ['offsite'])
  t.deepEqual(await offered('destination', 'edit', '--read-only', '--', 'of'), ['offsite'])
})

completionTest('elsewhere it is files, commands and options', async (t, offered) => {
  for (const words of [
    ['mount', 'offsite', ''],
    ['import', ''],
    ['umount', ''],
    ['destination', 'add', ''],
  ])
    t.deepEqual(await offered(...words), [], 'nothing, on which bash offers files')
  t.deepEqual(await offered('sn'), ['snapshots'])
  t.deepEqual(await offered('destination', 're'), ['remove'])
  t.deepEqual(await offered('mount', '--disk'), ['--disk-cache'])
  t.deepEqual(await offered('mount', '--transport', ''), ['kernel', 'libfuse'])
})

completionTest(
  'settings that are wrong are no matter for it',
  async (t, offered) => {
    t.deepEqual(await offered('mount', ''), [])
  },
  'no settings',
)
