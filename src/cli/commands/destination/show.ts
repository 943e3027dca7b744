import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes } from 'yargs'
import { viewOf } from '../../destination-view.ts'
import { textOfValue } from '../../field-text.ts'
import { configFlag, destinationNameArgument, jsonFlag } from '../../options.ts'
import { print } from '../../output.ts'
import { unknownName } from '../../present-destination.ts'
import { ownSettings } from '../../settings-files.ts'

const showFlags = { ...jsonFlag, ...configFlag } as const

type ShowArguments = InferredOptionTypes<typeof showFlags> & { name: string }

export const showCommand: CommandModule<object, ShowArguments> = {
  command: 'show <name>',
  describe: 'Show all that the settings say of a destination, but its keys',
  builder: (yargs: Argv) => yargs.positional('name', destinationNameArgument).options(showFlags),
  handler: runShow,
}

const keysFrom = {
  settings: 'in the settings, not shown',
  keys_file: 'in the keys_file',
  aws: 'where the AWS tools look (AWS_ACCESS_KEY_ID, ~/.aws, …)',
} as const

function runShow({ name, config, json }: ArgumentsCamelCase<ShowArguments>): void {
  const settings = ownSettings(config)
  const destination = settings.get(name)
  if (destination === undefined) throw unknownName(name, [...settings.keys()])
  const view = viewOf(destination)
  if (json) print(JSON.stringify(view, null, 2))
  else print(linesOf({ ...view, keys: keysFrom[view.keys] }).join('\n'))
}

function linesOf(fields: object): string[] {
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([field, value]) => `${field.padEnd(17)} ${textOfValue(value)}`)
}
