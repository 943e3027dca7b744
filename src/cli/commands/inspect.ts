import { basename, dirname, resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { startLogging } from '../../daemon/logging.ts'
import { destinationWords } from '../../destination/destination-words.ts'
import { parseSnapshotName } from '../../destination/layout.ts'
import type { Destination } from '../../destination/parse-destination.ts'
import { pathIn, placeAt } from '../../destination/split-repository.ts'
import type { Inspection } from '../../foreign/inspect-repository.ts'
import { readMappingFile } from '../../foreign/mapping-file.ts'
import type { Suggestion } from '../../foreign/suggest.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { prepareCacheFolder } from '../cache-folder.ts'
import { CliError } from '../errors.ts'
import { inspectionJson, suggestionJson } from '../inspect/inspect-json.ts'
import { inspectionText } from '../inspect/inspect-text.ts'
import { suggestionText } from '../inspect/suggestion-text.ts'
import { interruption } from '../interruption.ts'
import { destinationArgument, jsonFlag, logLevelFlag, pathOf, storeFlags } from '../options.ts'
import { print, printable, warn } from '../output.ts'
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
  try: {
    type: 'string',
    requiresArg: true,
    describe: 'a file with a mapping: show the tree that it makes of a snapshot, and what does not fit',
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
      .example('$0 inspect offsite/account --try mapping.toml', 'whether it fits')
      .example('$0 inspect offsite/account --suggest > mapping.toml', 'a mapping, to be tried and corrected'),
  handler: runInspect,
}

/** Of several the first: each has a report of its own. */
const mostRepositories = 20

async function runInspect(args: ArgumentsCamelCase<InspectArguments>): Promise<void> {
  const typed = typedDestination(args.destination, args)
  const mapping = args.try === undefined ? undefined : readMappingFile(pathOf('--try', args.try))
  refuseMissingProfile(typed, process.env)
  const { openDestination } = await import('../../destination/destination.ts')
  const { bestSuggestion, inspectRepository } = await import('../../foreign/inspect-repository.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  const cacheDir = resolve(args['cache-dir'] ?? ownFolders().cache)
  await prepareCacheFolder(cacheDir)
  using interrupted = interruption()
  const { signal } = interrupted
  const { place, number } = placeOf(typed)
  using destination = openDestination(place, { logger })
  const { reader } = destination
  const found = await findRepositories(reader, { ...tellPassedOver, signal })
  if (found.length === 0)
    throw new CliError('nothing-there', `there are no repositories in ${destinationWords(place)}`)
  using line = new ProgressLine()
  const onStep = (text: string): void => line.show(() => text)
  const look = { store: reader, number, cacheDir, onStep, signal }
  const isJson = args.json
  if (mapping !== undefined) {
    const { printTrial } = await import('../inspect/print-trial.ts')
    const tried = { ...look, repository: onlyOf(found, place), mapping, logger }
    return await printTrial(tried, { place, line, file: args.try!, isJson })
  }
  const isOne = args.suggest || found.length === 1
  const depth = args.suggest ? 'suggestion' : isOne ? 'tables' : 'keys'
  const inspections: Inspection[] = []
  for (const repository of isOne ? [onlyOf(found, place)] : found.slice(0, mostRepositories))
    inspections.push(await inspectRepository({ ...look, repository, depth }))
  line.clear()
  if (isOne) refuseAbsent(inspections[0]!, number, typed)
  if (args.suggest) refuseUnreadable(inspections[0]!)
  if (args.suggest) printSuggestion(bestSuggestion(inspections[0]!), tryWords(inspections[0]!, place), isJson)
  else printInspections(inspections, isJson)
  if (!isOne)
    warn(
      `only the keys of ${inspections.length} of ${found.length} repositories were looked at: for tables say which one, as ${oneOf(found, place)}`,
    )
}

/** The place that is asked for, or what holds it, and N of the snapshot. */
function placeOf(typed: Destination): { readonly place: Destination; readonly number: number | undefined } {
  const path = pathIn(typed)
  const number = parseSnapshotName(basename(path))
  return { place: number === undefined ? typed : placeAt(typed, dirname(path)), number }
}

/** A mapping is for one repository. */
function onlyOf(found: readonly string[], place: Destination): string {
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  const where = destinationWords(place)
  throw new CliError(
    'usage',
    `there are ${found.length} repositories in ${where}: say which, as ${oneOf(found, place)}`,
  )
}

function oneOf([first = '']: readonly string[], place: Destination): string {
  return destinationWords(place, first.replace(/\/$/, ''))
}

function refuseAbsent({ survey }: Inspection, number: number | undefined, typed: Destination): void {
  if (number !== undefined && !survey.numbers.includes(number))
    throw new CliError('nothing-there', `there is no snapshot ${destinationWords(typed)}`)
}

/** Nothing can be suggested where there is no snapshot, or no database of it that can be read. */
function refuseUnreadable({ number, databases }: Inspection): void {
  if (number === undefined)
    throw new CliError(
      'nothing-there',
      'there are no snapshots to suggest a mapping for: none has a manifest',
    )
  const problems = databases.flatMap(({ key, problem }) =>
    problem === undefined ? [] : [`${key}: ${problem}`],
  )
  for (const problem of problems) warn(printable(problem))
}

function printInspections(inspections: readonly Inspection[], isJson: boolean): void {
  if (isJson) print(JSON.stringify(inspections.map(inspectionJson), null, 2))
  else print(inspections.map(inspectionText).join('\n\n\n'))
}

/** How the mapping that was suggested is tried. */
function tryWords({ repository, number }: Inspection, place: Destination): string {
  return `jbfs inspect ${destinationWords(place, `${repository}snap.${number}`)} --try mapping.toml`
}

function printSuggestion(suggestion: Suggestion | undefined, tryCommand: string, isJson: boolean): void {
  if (suggestion === undefined)
    throw new CliError(
      'nothing-there',
      'no table has anything that looks like the paths or parents of files: jbfs inspect without --suggest shows what is there',
    )
  if (isJson) print(JSON.stringify(suggestionJson(suggestion), null, 2))
  else print(suggestionText(suggestion, tryCommand).trimEnd())
  for (const remark of suggestion.remarks) warn(remark)
}
