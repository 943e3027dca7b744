import yargs, { type Argv, type CommandModule } from 'yargs'
import { didYouMean } from '../base/did-you-mean.ts'
import { checkCommand } from './commands/check.ts'
import { demoCommand } from './commands/demo.ts'
import { destinationCommand, destinationCommands } from './commands/destination.ts'
import { gcCommand } from './commands/gc.ts'
import { importCommand } from './commands/import.ts'
import { inspectCommand } from './commands/inspect.ts'
import { mountCommand } from './commands/mount.ts'
import { publishCommand } from './commands/publish.ts'
import { snapshotsCommand } from './commands/snapshots.ts'
import { statusCommand } from './commands/status.ts'
import { umountCommand } from './commands/umount.ts'
import { completionHelp, completionOf } from './completion.ts'
import { CliError } from './errors.ts'
import { exitCodeMeanings } from './exit-codes.ts'
import { print } from './output.ts'
import { usageError } from './usage-error.ts'
import { version } from './version.ts'

const commands = [
  mountCommand,
  umountCommand,
  publishCommand,
  statusCommand,
  snapshotsCommand,
  importCommand,
  inspectCommand,
  checkCommand,
  gcCommand,
  destinationCommand,
  demoCommand,
]
const commandNames = commands.map(nameOf)
const allNames = [...commandNames, ...commands.flatMap(({ aliases = [] }) => aliases), 'completion', 'help']
const groupName = nameOf(destinationCommand)
const subcommandNames = destinationCommands.flatMap((command: Pick<CommandModule, 'command' | 'aliases'>) => [
  nameOf(command),
  ...(command.aliases ?? []),
])

/** Runs one command. Rejects with what went wrong; a command line that is wrong is a `CliError` with code `usage`. */
export async function runCli(argv: readonly string[]): Promise<void> {
  try {
    const words = asYargsHasIt(argv)
    // yargs prints what it makes of this command whatever else is asked for.
    if (words[0] === 'completion' && words.some((word) => word === '--help' || word === '-h'))
      return print(completionHelp)
    await parser(words).parseAsync()
  } catch (error) {
    // Some faults of a command line yargs throws past `fail`.
    if (error instanceof Error && error.name === 'YError')
      throw usageError(error.message, { argv, help: helpFor(argv), options: [] })
    throw isLostFolder(error) ? lostFolderError(error) : error
  }
}

function parser(argv: readonly string[]): Argv {
  // The folder is for settings files we have none of: not the working folder, in which even asking may fail, or hang.
  const root = yargs([...argv], '/')
  return (
    root
      .scriptName('jbfs')
      .locale('en')
      .usage('$0 <command>\n\nMounts JetBackup 5 destinations as ordinary folders.')
      // The types of yargs know no list of commands with arguments of their own each.
      .command(commands as CommandModule[])
      .completion(
        'completion',
        'Print what makes the shell complete commands, options and destinations',
        completionOf(commands, { destination: destinationCommands }),
      )
      .demandCommand(1, `say what to do: ${commandNames.join(', ')}`)
      .strict()
      // Of an option given twice the last counts, as everywhere.
      .parserConfiguration({ 'duplicate-arguments-array': false })
      .version(version())
      .alias({ help: 'h' })
      .epilogue(epilogue())
      .wrap(Math.min(110, process.stdout.columns ?? 100))
      .exitProcess(false)
      .fail((message, error) => {
        throw error ?? usageError(message, { argv, help: helpFor(argv), options: optionsOf(root) })
      })
  )
}

/** Thrown by whatever makes a relative path absolute, as `resolve` does. */
function isLostFolder(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd'
}

function lostFolderError(cause: unknown): CliError {
  const message =
    'the working folder was removed, or cannot be reached any more: cd to another one, or give absolute paths'
  return new CliError('usage', message, { cause })
}

/** `help mount` is `mount --help`, as with git. Throws `usage` for a command that is none. */
function asYargsHasIt(argv: readonly string[]): readonly string[] {
  const [first = '', ...rest] = argv
  if (first === 'help') return asYargsHasIt([...rest.slice(0, isGroup(rest[0]) ? 2 : 1), '--help'])
  if (first === '' || first.startsWith('-')) return withOptionalValues(argv)
  refuseUnknown(first, allNames, 'jbfs')
  const [second = ''] = rest
  if (isGroup(first) && second !== '' && !second.startsWith('-'))
    refuseUnknown(second, subcommandNames, `jbfs ${first}`)
  return withOptionalValues(argv)
}

function refuseUnknown(word: string, names: readonly string[], command: string): void {
  if (names.includes(word)) return
  const hint = didYouMean(word, names) || ` (see ${command} --help)`
  throw new CliError('usage', `there is no command ${JSON.stringify(word)}${hint}`)
}

/** Whether commands of its own stand below a command. */
function isGroup(command: string | undefined): boolean {
  return command === groupName
}

/** The options of the command that is being looked at, which are those of the parser meanwhile; the types of yargs leave out how to ask for them. */
function optionsOf(current: Argv): string[] {
  const { key } = (current as Argv & { getOptions(): { key: Record<string, boolean> } }).getOptions()
  return Object.keys(key)
}

/** What an option means that may stand without its value. */
const optionalValues: Readonly<Record<string, string>> = { '--read-data': '--read-data=100' }

/** Such a value stands behind an equals sign, as with getopt_long(3): yargs would take the next word for it. */
function withOptionalValues(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--')
  return argv.map((word, index) => (end === -1 || index < end ? (optionalValues[word] ?? word) : word))
}

function helpFor([command = '', subcommand = '']: readonly string[]): string {
  if (isGroup(command) && subcommandNames.includes(subcommand)) return `jbfs ${command} ${subcommand} --help`
  return allNames.includes(command) ? `jbfs ${command} --help` : 'jbfs --help'
}

function nameOf({ command }: Pick<CommandModule, 'command'>): string {
  return String(command).split(' ')[0] as string
}

function epilogue(): string {
  const codes = Object.entries(exitCodeMeanings).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
  return `Help on a command: jbfs <command> --help\n\nExit codes:\n${codes.join('\n')}`
}
