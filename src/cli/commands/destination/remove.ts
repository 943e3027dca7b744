import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes } from 'yargs'
import { removeDestination } from '../../../destination/settings/editable-settings.ts'
import { CliError } from '../../errors.ts'
import { configFlag, destinationNameArgument, yesFlag } from '../../options.ts'
import { print } from '../../output.ts'
import { editableWith } from '../../present-destination.ts'
import { isAtTerminal, Terminal } from '../../terminal.ts'

const removeFlags = {
  ...yesFlag,
  ...configFlag,
} as const

type RemoveArguments = InferredOptionTypes<typeof removeFlags> & { name: string }

export const removeCommand: CommandModule<object, RemoveArguments> = {
  command: 'remove <name>',
  aliases: ['rm'],
  describe: 'Take a destination out of the settings; nothing is deleted there',
  builder: (yargs: Argv) => yargs.positional('name', destinationNameArgument).options(removeFlags),
  handler: runRemove,
}

async function runRemove({ name, yes, config }: ArgumentsCamelCase<RemoveArguments>): Promise<void> {
  const settings = editableWith(name, config)
  if (!yes && !(await isConfirmed(name, settings.file))) return print(`${name} stays`)
  removeDestination(settings, name)
  print(`${name} is gone from ${settings.file}; what is at the destination is untouched`)
}

async function isConfirmed(name: string, file: string): Promise<boolean> {
  if (!isAtTerminal()) throw new CliError('usage', `say --yes to take ${name} out of ${file}`)
  using terminal = new Terminal()
  return await terminal.confirm(`take ${name} out of ${file}?`)
}
