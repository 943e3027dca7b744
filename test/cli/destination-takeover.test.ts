import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'
import { runAtTerminal, whyNoTerminal } from '../support/terminal.ts'

/** `jbfs destination takeover`, and what `jbfs destination test` says of owners around a folder and in it. */

interface Scene {
  readonly path: string
  /** As the server that keeps its id in this state folder. */
  jbfs(state: string, ...args: string[]): Promise<TextResult>
}

/** The server `first` owns the folder `web`, with a repository in it. */
async function withOwner(t: ExecutionContext, body: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder()
  const { path } = folder
  const jbfs: Scene['jbfs'] = (state, ...args) =>
    runJbfs([...args, '--state-dir', join(path, state)], { cwd: path, env: { HOME: path } })
  await mkdir(join(path, 'account'))
  await writeFile(join(path, 'account/file'), 'content')
  const made = await jbfs('first', 'import', 'account', './web/account')
  t.is(made.code, 0, made.stderr)
  await body({ path, jbfs })
}

async function ownersIn(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).filter((name) => name.endsWith('jetbackup.owner')).sort()
}

test("no owner is made in another server's directory: that one is to be taken over", async (t) => {
  await withOwner(t, async ({ path, jbfs }) => {
    await mkdir(join(path, 'web/free'))
    for (const inner of ['web/account', 'web/free']) {
      const { code, stderr } = await jbfs('second', 'destination', 'takeover', `./${inner}`, '--yes')
      t.is(code, 8, stderr)
      t.true(
        stderr.startsWith(`jbfs: ${path}/${inner} is a part of ${path}/web, and is not taken over alone`),
      )
      t.regex(stderr, /it belongs to .*`server-id`.*; else take over all of /)
      t.true(stderr.endsWith(`: jbfs destination takeover ${path}/web\n`), stderr)
    }
    t.deepEqual(await ownersIn(path), ['web/jetbackup.owner'])
    const own = await jbfs('first', 'destination', 'takeover', './web/free', '--yes')
    t.is(own.code, 0)
    t.is(own.stdout, `${path}/web/free lies in ${path}/web, which is this server's already\n`)
    t.deepEqual(await ownersIn(path), ['web/jetbackup.owner'])
  })
})

test("a folder in another server's directory is told to be that server's, and not written to", async (t) => {
  await withOwner(t, async ({ path, jbfs }) => {
    await mkdir(join(path, 'web/free'))
    const refused = await jbfs('second', 'destination', 'test', './web/free')
    t.is(refused.code, 3, refused.stdout)
    t.regex(refused.stdout, /^✗ owner +it belongs to .*, as a part of \S+\/web, last heard of /m)
    t.true(refused.stdout.includes(`take ${path}/web over for good: jbfs destination takeover ${path}/web\n`))
    t.regex(refused.stdout, /^- write +not tried/m)
    const reading = await jbfs('second', 'destination', 'test', './web/free', '--read-only')
    t.is(reading.code, 0, reading.stdout)
    const own = await jbfs('first', 'destination', 'test', './web/free')
    t.is(own.code, 0, own.stdout)
    t.regex(own.stdout, /^✓ owner +this server, as a part of \S+\/web$/m)
    await writeFile(join(path, 'web/jetbackup.owner'), 'nonsense')
    const unreadable = await jbfs('first', 'destination', 'test', './web/free')
    t.regex(unreadable.stdout, /^✗ owner +jetbackup.owner in \S+\/web, around it, does not say whose it is$/m)
    t.true(unreadable.stdout.includes(`→ jbfs destination takeover ${path}/web\n`))
  })
})

test("others' folders in a directory that is taken over stay theirs, which is said", async (t) => {
  await withOwner(t, async ({ path, jbfs }) => {
    const kept = `these folders in it stay their owners': web (${hostname()})`
    const looked = await jbfs('second', 'destination', 'test', path)
    t.regex(looked.stdout, /^✓ owner +nobody's yet: .*; these folders in it stay their owners': web \(/m)
    const unasked = await jbfs('second', 'destination', 'takeover', path)
    t.is(unasked.code, 2)
    t.true(unasked.stderr.includes(kept), unasked.stderr)
    const taken = await jbfs('second', 'destination', 'takeover', path, '--yes')
    t.is(taken.code, 0, taken.stderr)
    t.is(taken.stdout, `${path} belongs to ${hostname()} now\n${kept}\n`)
    const own = await jbfs('first', 'import', 'account', './web/account')
    t.is(own.code, 0, own.stderr)
  })
})

test('a server that has lost its state folder is told that it is another one of the same name', async (t) => {
  await withOwner(t, async ({ path, jbfs }) => {
    const imported = await jbfs('lost', 'import', 'account', './web/account')
    t.is(imported.code, 8)
    const tested = await jbfs('lost', 'destination', 'test', './web')
    const takeover = await jbfs('lost', 'destination', 'takeover', './web')
    for (const said of [imported.stderr, tested.stdout, takeover.stderr]) {
      t.regex(said, /ANOTHER server of the same name/)
      t.regex(said, /`server-id` .*state folder.*--state-dir/)
    }
    for (const said of [imported.stderr, tested.stdout])
      t.true(said.includes(`: jbfs destination takeover ${path}/web\n`), said)
  })
})

test('what cannot be understood is taken over with a wait for whoever wrote it', async (t) => {
  await withOwner(t, async ({ path, jbfs }) => {
    const file = join(path, 'web/jetbackup.owner')
    await writeFile(file, 'nonsense')
    const { code, stdout } = await jbfs('second', 'destination', 'takeover', './web', '--yes')
    t.is(code, 0)
    t.regex(stdout, /belongs to .* now; it can be written to in 61 s, when its writer has seen it$/m)
    t.like(JSON.parse(await readFile(file, 'utf8')), { lease: { revoked: true, seconds: 60 } })
  })
})

const terminalTest = whyNoTerminal() === undefined ? test : test.skip

terminalTest('at a terminal the destination is typed once more, as it was or in full', async (t) => {
  await withOwner(t, async ({ path }) => {
    const command = (state: string): string[] => [
      ...[process.execPath, jbfsProgram, 'destination', 'takeover', `${path}/web/../web`],
      ...['--state-dir', join(path, state)],
    ]
    const ask = (state: string, answer: string): ReturnType<typeof runAtTerminal> =>
      runAtTerminal(command(state), [[`Type ${path}/web to take it over: `, answer]])
    const before = await readFile(join(path, 'web/jetbackup.owner'), 'utf8')
    const declined = await ask('second', 'no\r')
    t.is(declined.code, 0, declined.shown)
    t.regex(declined.shown, /web stays as it is/)
    t.is((await ask('second', '\u0003')).code, 130)
    t.is(await readFile(join(path, 'web/jetbackup.owner'), 'utf8'), before)
    const asTyped = await ask('second', `${path}/web/../web\r`)
    t.regex(asTyped.shown, /web belongs to .* now/)
    const inFull = await ask('third', `${path}/web\r`)
    t.regex(inFull.shown, /web belongs to .* now/)
  })
})
