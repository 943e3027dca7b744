import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import test from 'ava'
import { mountAt } from '../../src/base/mountinfo.ts'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import { paths } from '../support/foreign/layouts/paths.ts'
import { whyNoMounts } from '../support/mounted.ts'
import { findOlderNode } from '../support/older-node.ts'
import { runText, type TextResult } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

/**
 * The package as a user gets it: packed from a copy of the sources, installed below a folder of its own, and started with the system's
 * Node.js, not with the one in node_modules.
 */
const whyNoNpm = spawnSync('npm', ['--version']).status === 0 ? undefined : 'npm is not installed'
const packageTest = testUnless(test.serial, whyNoNpm)
const root = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'jbfs-package-'))
const environment = withoutNodeModules()

test.after.always('removes what was installed', () => rmSync(folder, { recursive: true, force: true }))

packageTest('npm pack makes a package of what was built, and of nothing else', async (t) => {
  t.timeout(120_000)
  copySources(join(folder, 'source'))
  const { code, stdout, stderr } = await npm(['pack', '--pack-destination', folder], join(folder, 'source'))
  t.is(code, 0, stdout + stderr)
  const { stdout: listing } = await runText(['tar', 'tzf', tarball()])
  const files = listing
    .trim()
    .split('\n')
    .map((path) => path.replace('package/', ''))
  for (const file of ['bin/jbfs.js', 'dist/main.js', 'package.json', 'README.md', 'LICENSE'])
    t.true(files.includes(file), file)
  t.deepEqual(
    files.filter((path) => /^(src|test|scripts)\/|\.ts$/.test(path)),
    [],
  )
})

packageTest(
  'npm install -g of the package gives a jbfs that runs with the Node.js of the system',
  async (t) => {
    t.timeout(170_000)
    const install = [
      'install',
      '--global',
      '--prefix',
      join(folder, 'prefix'),
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
    ]
    const { code, stdout, stderr } = await npm([...install, tarball()], folder)
    t.is(code, 0, stdout + stderr)
    t.log(`started with Node.js ${findOlderNode()?.version ?? process.versions.node}`)
    const version = await jbfs('--version')
    t.deepEqual(version, { code: 0, stdout: `${manifest.version}\n`, stderr: '' })
    const help = await jbfs('--help')
    t.is(help.code, 0)
    t.regex(help.stdout, /jbfs mount/)
  },
)

const demoTest = testUnless(test.serial, whyNoNpm ?? whyNoMounts())
demoTest('the installed jbfs shows its demo and leaves nothing behind', async (t) => {
  t.timeout(120_000)
  const { code, stdout, stderr } = await jbfs('demo', '--files', '60')
  t.is(code, 0, stdout + stderr)
  t.regex(stdout, /byte for byte/)
  const [, demoFolder = ''] = /Everything happens in (\S+),/.exec(stdout) ?? []
  t.false(existsSync(demoFolder))
  t.is(mountAt(join(demoFolder, 'mnt')), undefined)
})

packageTest('the installed jbfs finds the processes in which it reads what others wrote', async (t) => {
  const destination = join(folder, 'foreign')
  writeObjects(destination, foreignObjects(paths, folder))
  const repository = join(destination, foreignRepository)
  const suggested = await jbfs('inspect', repository, '--suggest')
  t.is(suggested.code, 0, suggested.stderr)
  writeFileSync(join(folder, 'mapping.toml'), suggested.stdout)
  const tried = await jbfs('inspect', repository, '--try', join(folder, 'mapping.toml'))
  t.is(tried.code, 0, tried.stdout + tried.stderr)
})

/** Packing builds, and what is built must not appear in the working tree. */
function copySources(target: string): void {
  const parts = [
    'bin',
    'src',
    'scripts',
    'native-notes',
    'package.json',
    'tsconfig.json',
    'README.md',
    'LICENSE',
  ]
  for (const part of parts) cpSync(join(root, part), join(target, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'))
}

function tarball(): string {
  const name = readdirSync(folder).find((file) => file.endsWith('.tgz'))
  if (name === undefined) throw new Error('npm pack has made no package')
  return join(folder, name)
}

function npm(args: string[], cwd: string): Promise<TextResult> {
  return runText(['npm', ...args], { cwd, env: environment })
}

function jbfs(...args: string[]): Promise<TextResult> {
  return runText([join(folder, 'prefix/bin/jbfs'), ...args], { env: environment })
}

/** npm puts node_modules/.bin first in PATH for its scripts; a user's shell has no such thing, nor the settings of this run. */
function withoutNodeModules(): NodeJS.ProcessEnv {
  const ofThisRun = Object.keys(process.env).filter((name) =>
    /^npm_(package|lifecycle|config_(global_|local_)?prefix)/.test(name),
  )
  const path = (process.env.PATH ?? '').split(delimiter).filter((each) => !each.includes('node_modules'))
  return { ...Object.fromEntries(ofThisRun.map((name) => [name, undefined])), PATH: path.join(delimiter) }
}
