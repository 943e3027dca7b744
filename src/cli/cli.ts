import yargs, { type Argv } from 'yargs'
import { demoCommand } from './commands/demo.ts'
import { destinationCommand, destinationCommands } from './commands/destination.ts'
import { importCommand } from './commands/import.ts'
import { mountCommand } from './commands/mount.ts'
import { snapshotsCommand } from './commands/snapshots.ts'
import { statusCommand } from './commands/status.ts'
import { umountCommand } from './commands/umount.ts'
import { completionOf } from './completion.ts'
import { CliError } from './errors.ts'
import { exitCodeMeanings } from './exit-codes.ts'
import { version } from './version.ts'

const commands = [
  mountCommand,
  umountCommand,
  statusCommand,
  snapshotsCommand,
  importCommand,
  destinationCommand,
  demoCommand,
] as const
const commandNames = commands.map(({ command }) => String(command).split(' ')[0] as string)

/** Runs one command. Rejects with what went wrong; a command line that is wrong is a `CliError` with code `usage`. */
export async function runCli(argv: readonly string[]): Promise<void> {
  await parser(argv).parseAsync()
}

function parser(argv: readonly string[]): Argv {
  return (
    yargs([...argv])
      .scriptName('jbfs')
      .locale('en')
      .usage('$0 <command>\n\nMounts JetBackup 5 destinations as ordinary folders.')
      .command(mountCommand)
      .command(umountCommand)
      .command(statusCommand)
      .command(snapshotsCommand)
      .command(importCommand)
      .command(destinationCommand)
      .command(demoCommand)
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
        throw error ?? usageError(message, argv)
      })
  )
}

function usageError(message: string, [command = '']: readonly string[]): CliError {
  const help = commandNames.includes(command) ? `jbfs ${command} --help` : 'jbfs --help'
  const problem = message.startsWith('Not enough non-option arguments')
    ? 'an argument is missing'
    : message.replaceAll(/\s*\n\s*/g, ' ').replace(/^[A-Z]/, (letter) => letter.toLowerCase())
  return new CliError('usage', `${problem} (see ${help})`)
}

function epilogue(): string {
  const codes = Object.entries(exitCodeMeanings).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
  return `Help on a command: jbfs <command> --help\n\nExit codes:\n${codes.join('\n')}`
}
