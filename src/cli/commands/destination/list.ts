import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes } from 'yargs'
import { type DestinationView, placeOf, viewOf } from '../../destination-view.ts'
import { configFlag, jsonFlag } from '../../options.ts'
import { formatTable, print } from '../../output.ts'
import { ownSettings } from '../../settings-files.ts'

const listFlags = { ...jsonFlag, ...configFlag } as const

type ListArguments = InferredOptionTypes<typeof listFlags>

export const listCommand: CommandModule<object, ListArguments> = {
  command: 'list',
  aliases: ['ls'],
  describe: 'List the destinations of the settings',
  builder: (yargs: Argv) => yargs.options(listFlags),
  handler: runList,
}

function runList({ config, json }: ArgumentsCamelCase<ListArguments>): void {
  const views = [...ownSettings(config).values()].map(viewOf)
  if (json) print(JSON.stringify(views, null, 2))
  else if (views.length === 0) print('the settings have no destination: jbfs destination add')
  else print(formatTable(columns, views.map(cellsOf)))
}

const columns = ['NAME', 'VENDOR', 'REGION', 'PLACE', 'MODE'].map((title) => ({ title }))

function cellsOf(view: DestinationView): string[] {
  const { name, vendor, region, read_only } = view
  return [name, vendor, region, placeOf(view), read_only ? 'read-only' : 'read-write']
}
