import type { Options } from 'yargs'
import type { Destination } from '../destination/parse-destination.ts'
import type { Mapping } from '../foreign/mapping.ts'
import { readMappingFile, validMapping } from '../foreign/mapping-file.ts'
import { pathOf } from './options.ts'

/** Of commands that read snapshots. */
export const mappingFlag = {
  mapping: {
    type: 'string',
    requiresArg: true,
    describe:
      'file that says how to read indexes that another program wrote, in place of index_mapping in the settings',
  },
} as const satisfies Record<string, Options>

/** How the indexes of a destination are read that another program wrote; undefined: nothing is said of it. Throws `bad-settings` with a line for each problem. */
export function typedMapping({ named }: Destination, file: string | undefined): Mapping | undefined {
  if (file !== undefined) return readMappingFile(pathOf('--mapping', file))
  const setting = named?.indexMapping
  if (named === undefined || setting === undefined) return undefined
  return setting.table === undefined
    ? readMappingFile(setting.file)
    : validMapping(setting.table, { file: setting.file, destination: named.name })
}
