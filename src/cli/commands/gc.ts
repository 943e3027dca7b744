import { rm } from 'node:fs/promises'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { parseDuration } from '../../base/duration.ts'
import { startLogging } from '../../daemon/logging.ts'
import { refuseReadOnly } from '../../destination/refuse-read-only.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { CliError } from '../errors.ts'
import { interruption } from '../interruption.ts'
import { refuseSnapshot } from '../maintenance/place.ts'
import {
  destinationArgument,
  jsonFlag,
  logLevelFlag,
  stateDirFlag,
  stateDirOf,
  storeFlags,
  yesFlag,
} from '../options.ts'
import { ownFolders } from '../own-folders.ts'
import { isAtTerminal } from '../terminal.ts'
import { typedDestination } from '../typed-destination.ts'

const gcFlags = {
  'dry-run': {
    type: 'boolean',
    alias: 'n',
    default: false,
    describe: 'show how many there are, and how much they take; change nothing',
  },
  grace: {
    type: 'string',
    requiresArg: true,
    default: '24h',
    describe: 'keep what is younger, as it may be about to be published (90m, 24h, 7d)',
  },
  ...yesFlag,
  ...jsonFlag,
  ...stateDirFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type GcArguments = InferredOptionTypes<typeof gcFlags> & { destination: string }

export const gcCommand: CommandModule<object, GcArguments> = {
  command: 'gc <destination>',
  describe: 'Delete the objects that no snapshot refers to any more',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(gcFlags)
      .example('$0 gc offsite --dry-run', 'what can be freed')
      .example('$0 gc offsite', 'free it, after a question')
      .example('$0 gc s3://bucket/backups/account --grace 7d --yes', 'in one repository, in a script'),
  handler: runGc,
}

async function runGc(args: ArgumentsCamelCase<GcArguments>): Promise<void> {
  const given = typedDestination(args.destination, args)
  const isDry = args['dry-run']
  // Before anything is read or asked.
  if (!isDry) refuseReadOnly(given)
  refuseSnapshot(given)
  const graceSeconds = parseDuration(args.grace)
  if (graceSeconds === undefined)
    throw new CliError('usage', `--grace is a time such as 90m, 24h or 7d, not "${args.grace}"`)
  if (!isDry && !args.yes && !isAtTerminal())
    throw new CliError('usage', 'say --yes to delete objects, or --dry-run to see which there are')
  refuseMissingProfile(given, process.env)
  const folders = { runtime: ownFolders().runtime, state: stateDirOf(args) }
  const { logger } = startLogging({ level: args['log-level'] ?? 'warn', readable: true })
  const { GarbageCollection } = await import('../maintenance/garbage-collection.ts')
  const { makeTemporaryFolder } = await import('../../import/temporary-folder.ts')
  using interrupted = interruption()
  const temporary = await makeTemporaryFolder('jbfs-gc-')
  try {
    const collection = new GarbageCollection({
      given,
      grace: { text: args.grace, seconds: graceSeconds },
      isDry,
      yes: args.yes,
      json: args.json,
      folders,
      temporary,
      logger,
      signal: interrupted.signal,
    })
    await collection.run()
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
