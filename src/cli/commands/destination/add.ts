import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes } from 'yargs'
import type { FieldChanges } from '../../../destination/settings/edit-text.ts'
import { openEditable, saveDestination } from '../../../destination/settings/editable-settings.ts'
import { parseTable } from '../../../destination/settings/parse-table.ts'
import { refuseProblems } from '../../../destination/settings/problem.ts'
import { askFields } from '../../ask-fields.ts'
import { CliError } from '../../errors.ts'
import { fieldFlags, fieldsOfFlags } from '../../field-flags.ts'
import { keysFromStdin } from '../../keys-from-stdin.ts'
import { optionProblem } from '../../option-problem.ts'
import { configFlag } from '../../options.ts'
import { print } from '../../output.ts'
import { ownReader, ownSettingsFiles } from '../../settings-files.ts'
import { isAtTerminal, Terminal } from '../../terminal.ts'

type AddArguments = InferredOptionTypes<typeof configFlag> & {
  name: string | undefined
  'keys-from-stdin': boolean
}

export const addCommand: CommandModule<object, AddArguments> = {
  command: 'add [name]',
  describe: 'Add a destination: asks at a terminal, or takes options',
  builder: (yargs: Argv) =>
    yargs
      .positional('name', { type: 'string', describe: 'what to call it' })
      .options(fieldFlags)
      .options(configFlag)
      .example('$0 destination add', 'asks for everything')
      .example(
        '$0 destination add offsite --vendor wasabi --bucket backups --backup-directory /web --keys-from-stdin < keys',
        'for a script',
      ) as Argv<AddArguments>,
  handler: runAdd,
}

async function runAdd(args: ArgumentsCamelCase<AddArguments>): Promise<void> {
  const file = ownSettingsFiles(args.config)[0]!.path
  const settings = openEditable(file)
  const refuseName = (name: string): void => {
    const { problems } = parseTable(name, {}, { file, ...ownReader() })
    refuseProblems(
      problems.filter(({ field }) => !field),
      optionProblem('all'),
    )
    if (Object.hasOwn(settings.tables, name))
      throw new CliError('usage', `${name} is there already, in ${file}: jbfs destination edit ${name}`)
  }
  if (args.name !== undefined) refuseName(args.name)
  const given = fieldsOfFlags(args)
  const isScripted = Object.keys(given).length > 0 || args['keys-from-stdin'] || !isAtTerminal()
  if (isScripted && args.name === undefined)
    throw new CliError('usage', 'say what to call it: jbfs destination add NAME')
  const keys = args['keys-from-stdin'] ? await keysFromStdin() : {}
  const { name, fields } = isScripted
    ? { name: args.name as string, fields: { ...given, ...keys } }
    : await askAll(args.name, refuseName, file)
  saveDestination(settings, name, fields, ownReader(), optionProblem('all'))
  print(`${name} is in ${file}`)
}

async function askAll(
  given: string | undefined,
  refuseName: (name: string) => void,
  file: string,
): Promise<{ name: string; fields: FieldChanges }> {
  using terminal = new Terminal()
  const name = given ?? (await askName(terminal, refuseName))
  return { name, fields: await askFields({ terminal, name, present: {}, file, ...ownReader() }) }
}

async function askName(terminal: Terminal, refuseName: (name: string) => void): Promise<string> {
  for (;;) {
    const name = await terminal.ask('name: ')
    try {
      refuseName(name)
      return name
    } catch (error) {
      terminal.say(`  ${(error as Error).message}`)
    }
  }
}
