import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { shellWord } from '../../base/command-line.ts'
import { codeOf } from '../../base/errors.ts'
import { isRoot } from '../../base/is-root.ts'
import { mountAt } from '../../base/mountinfo.ts'
import { isInPath } from '../../base/search-path.ts'
import { systemReason } from '../../base/system-reason.ts'
import { unmount } from '../../fuse/mount.ts'
import { noDevice, noFusermount } from '../../fuse/no-fuse.ts'
import { CliError } from '../errors.ts'
import { interruption } from '../interruption.ts'
import { countOf } from '../options.ts'
import { print } from '../output.ts'
import { unmountAndWait } from '../unmount-and-wait.ts'

const demoFlags = {
  files: {
    type: 'number',
    requiresArg: true,
    default: 500,
    describe: 'about how many files the made-up account has, besides those that are hard to keep',
  },
} as const satisfies Record<string, Options>

type DemoArguments = InferredOptionTypes<typeof demoFlags>

export const demoCommand: CommandModule<object, DemoArguments> = {
  command: 'demo',
  describe: 'Show it at work on a made-up account in a temporary folder',
  builder: (yargs: Argv) => yargs.options(demoFlags),
  handler: runDemo,
}

/** Names inside the temporary folder, where every command is run: what is printed can be typed as it stands. */
const snapshot = 'mnt/example/snap.1'
const samplePath = 'homedir/public_html/wp-config.php'
/** Lines of a listing that are shown. */
const mostLines = 24

async function runDemo(args: ArgumentsCamelCase<DemoArguments>): Promise<void> {
  const files = countOf('--files', args.files, 1)
  refuseWithoutFuse()
  const { writeSampleAccount } = await import('../../sample/sample-account.ts')
  using interrupted = interruption()
  const { signal } = interrupted
  const folder = await makeTemporaryFolder()
  const shell = new Shell(folder, signal)
  try {
    print(`Everything happens in ${folder}, which is removed at the end.\n`)

    print(`A made-up cPanel account of some ${files} files, as JetBackup would find it on a server:`)
    const account = await writeSampleAccount(join(folder, 'account'), { files, seed: 1, signal })
    await shell.run('ls', '-lA', 'account')

    print('In homedir/hard-cases it has, besides these, files that are hard to keep.')
    if (!account.skipped.some(({ name }) => name === 'sparse-large'))
      print(
        'One of them is 5 GiB long and nearly all hole: it takes room neither here nor in the destination.',
      )
    print('')

    print(
      'Put as the first snapshot of a repository into a destination; here a folder, elsewhere an S3 bucket:',
    )
    await shell.jbfs('import', 'account', './destination/example/snap.1', '--cache-dir', 'cache')
    await shell.run('ls', '-l', 'destination/example')

    print('Mounted, the destination is folders again:')
    await mkdir(join(folder, 'mnt'))
    await shell.jbfs('mount', './destination', 'mnt', '--cache-dir', 'cache', '--log-file', 'mount.log')
    await shell.run('find', 'mnt', '-maxdepth', '3', '-printf', '%M %u %TY-%Tm-%Td %p\\n')

    await shell.run('ls', '-l', `${snapshot}/homedir/public_html`)

    print('And its files are files:')
    await shell.run('cp', '-a', `${snapshot}/${samplePath}`, 'restored.php')
    await shell.run('cmp', '--verbose', `account/${samplePath}`, 'restored.php')
    await shell.run('ls', '-l', `account/${samplePath}`, 'restored.php')
    print('No difference: the copy from the backup is the original, byte for byte.\n')

    await shell.jbfs('umount', 'mnt')
  } finally {
    await cleanUp(folder)
  }
  print('Unmounted and removed. What comes next: jbfs mount --help')
}

async function makeTemporaryFolder(): Promise<string> {
  const parent = tmpdir()
  try {
    return await realpath(await mkdtemp(join(parent, 'jbfs-demo-')))
  } catch (error) {
    throw new CliError(
      'usage',
      `the folder for temporary files ${parent} cannot be used: ${systemReason(error)}: set TMPDIR to another one`,
      { cause: error },
    )
  }
}

function refuseWithoutFuse(): void {
  try {
    accessSync('/dev/fuse', isRoot() ? constants.F_OK : constants.R_OK | constants.W_OK)
  } catch (error) {
    throw noDevice(codeOf(error), error)
  }
  if (!isRoot() && !isInPath('fusermount3')) throw noFusermount()
}

/** Shows commands as a user would type them, and what they print. */
class Shell {
  readonly #folder: string
  readonly #signal: AbortSignal

  constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder
    this.#signal = signal
  }

  jbfs(...args: string[]): Promise<void> {
    return this.#show(['jbfs', ...args], [process.execPath, resolve(process.argv[1] as string), ...args])
  }

  run(...command: string[]): Promise<void> {
    return this.#show(command, command)
  }

  async #show(shown: readonly string[], [program, ...args]: readonly string[]): Promise<void> {
    this.#signal.throwIfAborted()
    print(`$ ${shown.map(shellWord).join(' ')}`)
    const { code, output } = await this.#execute(program as string, args)
    this.#signal.throwIfAborted()
    printExcerpt(output)
    if (code !== 0) throw new CliError('demo-failed', `the demo ends here: ${shown[0]} failed (${code})`)
  }

  #execute(program: string, args: readonly string[]): Promise<{ code: number | string; output: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'inherit'] })
      // Ctrl-C reaches it by itself, a kill of this process alone does not.
      const stop = (): void => void child.kill('SIGTERM')
      this.#signal.addEventListener('abort', stop, { once: true })
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      child.on('error', reject)
      child.on('close', (code, signal) => {
        this.#signal.removeEventListener('abort', stop)
        resolve({ code: code ?? signal ?? 'unknown', output })
      })
    })
  }
}

function printExcerpt(output: string): void {
  const lines = output.split('\n').filter((line) => line !== '')
  for (const line of lines.slice(0, mostLines)) print(`  ${line}`)
  if (lines.length > mostLines) print(`  … and ${lines.length - mostLines} more`)
  print('')
}

/** Whatever has happened: nothing stays mounted, and nothing is deleted while something is. */
async function cleanUp(folder: string): Promise<void> {
  const mountpoint = join(folder, 'mnt')
  if (mountAt(mountpoint) !== undefined)
    await unmountAndWait(mountpoint).catch(() => unmount(mountpoint, { lazy: true }))
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
