import { basename, dirname, resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { startLogging } from '../../daemon/logging.ts'
import { destinationWords } from '../../destination/destination-words.ts'
import { parseSnapshotName } from '../../destination/layout.ts'
import type { Destination } from '../../destination/parse-destination.ts'
import { pathIn, placeAt } from '../../destination/split-repository.ts'
import type { Inspection } from '../../foreign/inspect-repository.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { prepareCacheFolder } from '../cache-folder.ts'
import { CliError } from '../errors.ts'
import { inspectionJson, suggestionJson } from '../inspect/inspect-json.ts'
import { inspectionText } from '../inspect/inspect-text.ts'
import { suggestionText } from '../inspect/suggestion-text.ts'
import { interruption } from '../interruption.ts'
import { destinationArgument, jsonFlag, logLevelFlag, storeFlags } from '../options.ts'
import { print, warn } from '../output.ts'
import { ownFolders } from '../own-folders.ts'
import { tellPassedOver } from '../passed-over.ts'
import { ProgressLine } from '../progress-line.ts'
import { findRepositories } from '../repositories.ts'
import { typedDestination } from '../typed-destination.ts'

const inspectFlags = {
  suggest: {
    type: 'boolean',
    default: false,
    describe: 'print a mapping for the files of a snapshot, with how sure each column of it is',
  },
  'cache-dir': {
    type: 'string',
    requiresArg: true,
    describe: 'where databases are kept: /var/cache/jbfs, or ~/.cache/jbfs',
  },
  ...jsonFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type InspectArguments = InferredOptionTypes<typeof inspectFlags> & { destination: string }

export const inspectCommand: CommandModule<object, InspectArguments> = {
  command: 'inspect <destination>',
  describe: 'Look at what something else than jbfs has written',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(inspectFlags)
      .example('$0 inspect offsite/account', 'what its keys are, and the tables of its newest snapshot')
      .example('$0 inspect offsite/account/snap.3', 'the tables of that snapshot')
      .example('$0 inspect offsite/account --suggest > mapping.toml', 'a mapping, to be tried and corrected'),
  handler: runInspect,
}

async function runInspect(args: ArgumentsCamelCase<InspectArguments>): Promise<void> {
  const typed = typedDestination(args.destination, args)
  refuseMissingProfile(typed, process.env)
  const { openDestination } = await import('../../destination/destination.ts')
  const { inspectRepository } = await import('../../foreign/inspect-repository.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  const cacheDir = resolve(args['cache-dir'] ?? ownFolders().cache)
  await prepareCacheFolder(cacheDir)
  using interrupted = interruption()
  const { signal } = interrupted
  const { place, number } = placeOf(typed)
  using destination = openDestination(place, { logger })
  const { reader } = destination
  const found = await findRepositories(reader, { ...tellPassedOver, signal })
  const repository = onlyRepository(found, place)
  using line = new ProgressLine()
  const inspection = await inspectRepository({
    store: reader,
    repository,
    number,
    cacheDir,
    suggest: args.suggest,
    onStep: (text) => line.show(() => text),
    signal,
  })
  line.clear()
  refuseAbsent(inspection, number, typed)
  if (args.suggest) await printSuggestion(inspection, place, args.json)
  else print(args.json ? JSON.stringify(inspectionJson(inspection), null, 2) : inspectionText(inspection))
}

/** The repository that is asked for, or what holds it, and N of the snapshot. */
function placeOf(typed: Destination): { readonly place: Destination; readonly number: number | undefined } {
  const path = pathIn(typed)
  const number = parseSnapshotName(basename(path))
  return { place: number === undefined ? typed : placeAt(typed, dirname(path)), number }
}

/** Each takes a while, and its report pages: one at a time. */
function onlyRepository(found: readonly string[], place: Destination): string {
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  const where = destinationWords(place)
  if (only === undefined) throw new CliError('nothing-there', `there are no repositories in ${where}`)
  const [first = '', second = ''] = found.map((repository) => repository.replace(/\/$/, ''))
  throw new CliError(
    'usage',
    `there are ${found.length} repositories in ${where}, ${first} and ${second} among them: say which, as ${destinationWords(place, first)}`,
  )
}

function refuseAbsent({ survey }: Inspection, number: number | undefined, typed: Destination): void {
  if (number !== undefined && !survey.numbers.includes(number))
    throw new CliError('nothing-there', `there is no snapshot ${destinationWords(typed)}`)
}

async function printSuggestion(inspection: Inspection, place: Destination, isJson: boolean): Promise<void> {
  const { bestSuggestion } = await import('../../foreign/inspect-repository.ts')
  const suggestion = bestSuggestion(inspection)
  if (suggestion === undefined)
    throw new CliError(
      'nothing-there',
      'no table has anything that looks like the paths or parents of files: jbfs inspect without --suggest shows what is there',
    )
  if (isJson) return print(JSON.stringify(suggestionJson(suggestion), null, 2))
  const words = destinationWords(place, `${inspection.repository}snap.${inspection.number}`)
  print(suggestionText(suggestion, `jbfs inspect ${words} --try mapping.toml`).trimEnd())
  for (const remark of suggestion.remarks) warn(remark)
}
