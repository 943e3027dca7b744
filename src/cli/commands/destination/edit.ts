import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes } from 'yargs'
import type { FieldChanges } from '../../../destination/settings/edit-text.ts'
import { type EditableSettings, saveDestination } from '../../../destination/settings/editable-settings.ts'
import { askFields } from '../../ask-fields.ts'
import { CliError } from '../../errors.ts'
import { fieldFlags, fieldsOfFlags } from '../../field-flags.ts'
import { keysFromStdin } from '../../keys-from-stdin.ts'
import { optionProblem } from '../../option-problem.ts'
import { configFlag, destinationNameArgument } from '../../options.ts'
import { print } from '../../output.ts'
import { editableWith } from '../../present-destination.ts'
import { ownReader } from '../../settings-files.ts'
import { isAtTerminal, Terminal } from '../../terminal.ts'

type EditArguments = InferredOptionTypes<typeof configFlag> & { name: string; 'keys-from-stdin': boolean }

export const editCommand: CommandModule<object, EditArguments> = {
  command: 'edit <name>',
  describe: 'Change a destination: asks again at a terminal, or takes options',
  builder: (yargs: Argv) =>
    yargs
      .positional('name', destinationNameArgument)
      .options(fieldFlags)
      .options(configFlag)
      .example('$0 destination edit offsite --region eu-west-1', 'one field')
      .example('$0 destination edit offsite --ca-file=', 'take a field out') as Argv<EditArguments>,
  handler: runEdit,
}

async function runEdit(args: ArgumentsCamelCase<EditArguments>): Promise<void> {
  const { name } = args
  const settings = editableWith(name, args.config)
  const changes = await changesOf(args, settings)
  saveDestination(settings, name, changes, ownReader(), optionProblem(changes))
  print(`${name} is changed in ${settings.file}`)
}

async function changesOf(
  args: ArgumentsCamelCase<EditArguments>,
  { file, tables }: EditableSettings,
): Promise<FieldChanges> {
  const { name } = args
  const given = fieldsOfFlags(args)
  if (args['keys-from-stdin']) return { ...given, ...(await keysFromStdin()) }
  if (Object.keys(given).length > 0) return given
  if (!isAtTerminal()) throw new CliError('usage', `say what to change (see jbfs destination edit --help)`)
  using terminal = new Terminal()
  return await askFields({ terminal, name, present: tables[name]!, file, ...ownReader() })
}
