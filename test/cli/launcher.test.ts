import { spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext, type TestFn } from 'ava'
import { jbfsProgram } from '../support/mounted.ts'
import { findOlderNode, whyNoOlderNode } from '../support/older-node.ts'
import { runText } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

/** A folder with the launcher in it as npm would lay it out, and nothing else. */
interface Installed {
  readonly folder: string
  readonly installed: string
}

const it = test as TestFn<Installed>
const older = findOlderNode()

it.beforeEach((t) => {
  const folder = mkdtempSync(join(tmpdir(), 'jbfs-launcher-'))
  const installed = join(folder, 'node_modules/jbfs/bin/jbfs.js')
  mkdirSync(join(installed, '..'), { recursive: true })
  copyFileSync(jbfsProgram, installed)
  writeFileSync(join(folder, 'node_modules/jbfs/package.json'), '{"type":"module"}')
  t.context = { folder, installed }
})
it.afterEach.always((t) => rmSync(t.context.folder, { recursive: true, force: true }))

function withOlderNode(
  title: string,
  body: (t: ExecutionContext<Installed>, node: string) => Promise<void>,
): void {
  testUnless<Installed>(it, whyNoOlderNode(older))(title, (t) => body(t, older?.program ?? ''))
}

withOlderNode('an older Node.js hands over to the one that came with the package', async (t, node) => {
  const { code, stdout, stderr } = await runText([node, jbfsProgram, '--version'])
  t.is(stderr, '')
  t.is(code, 0)
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/)
})

withOlderNode('a descriptor that is not open is no crash of the launcher', async (t, node) => {
  const { code, stderr } = await runText([node, jbfsProgram, 'mount', '/', '/tmp', '--fuse-fd', '99'])
  t.is(code, 2)
  t.regex(stderr, /^jbfs: --fuse-fd 99 is no open \/dev\/fuse[^\n]+\n$/)
})

withOlderNode('without one it says what is missing, in one line', async (t, node) => {
  const { code, stdout, stderr } = await runText([node, t.context.installed, '--version'])
  t.is(code, 6)
  t.is(stdout, '')
  t.regex(stderr, /^jbfs: needs Node\.js 24 or newer, this is \d+\.\d+\.\d+: install [^\n]+\n$/)
})

withOlderNode('arguments, descriptors, signals and exit codes pass through', async (t, node) => {
  bundle(
    t.context.folder,
    `console.log(JSON.stringify(process.argv.slice(2)))
     console.log(require('fs').readFileSync(5, 'utf8').length > 0)
     setInterval(() => {}, 1000)
     process.on('SIGTERM', () => process.exit(77))
     console.log('ready')`,
  )
  const given = openSync(jbfsProgram, 'r')
  const child = spawn(node, [t.context.installed, 'a b', '--fuse-fd=5', "c'd"], {
    stdio: ['ignore', 'pipe', 'inherit', 'ignore', 'ignore', given],
  })
  closeSync(given)
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)))
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(line)
    if (line === 'ready') child.kill('SIGTERM')
  }
  t.deepEqual(lines, [JSON.stringify([t.context.installed, 'a b', '--fuse-fd=5', "c'd"]), 'true', 'ready'])
  t.is(await ended, 77)
})

withOlderNode('what a signal ends is ended by that signal', async (t, node) => {
  bundle(t.context.folder, "process.kill(process.pid, 'SIGKILL')")
  t.is((await runText([node, t.context.installed])).code, 'SIGKILL')
})

it('an incomplete package says so', async (t) => {
  const { code, stderr } = await runText([process.execPath, t.context.installed])
  t.is(code, 6)
  t.regex(stderr, /^jbfs: the package is incomplete: [^\n]+\n$/)
})

/** Puts a stand-in for the bundled Node.js beside the package: it runs `script` and ignores what it is asked to run. */
function bundle(folder: string, script: string): void {
  const bin = join(folder, `node_modules/node-linux-${process.arch}/bin`)
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, '../package.json'), '{}')
  writeFileSync(join(bin, 'script.cjs'), script)
  writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec '${process.execPath}' '${bin}/script.cjs' "$@"\n`)
  chmodSync(join(bin, 'node'), 0o755)
}
