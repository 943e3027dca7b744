import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { startLogging } from '../../../daemon/logging.ts'
import { DestinationError } from '../../../destination/errors.ts'
import { defaultDays } from '../../../destination/lifecycle/recommended.ts'
import { limitsOf } from '../../../destination/lifecycle/vendor-limits.ts'
import { interruption } from '../../interruption.ts'
import { countOf, destinationArgument, jsonFlag, logLevelFlag, storeFlags, yesFlag } from '../../options.ts'
import { typedDestination } from '../../typed-destination.ts'

const lifecycleFlags = {
  apply: {
    type: 'boolean',
    default: false,
    describe: 'set the recommended rules, after showing what changes',
  },
  ...yesFlag,
  'noncurrent-days': {
    type: 'number',
    requiresArg: true,
    default: defaultDays.noncurrent,
    describe: 'days until a noncurrent version is deleted',
  },
  'upload-days': {
    type: 'number',
    requiresArg: true,
    default: defaultDays.upload,
    describe: 'days until an incomplete upload is aborted, from its beginning',
  },
  ...jsonFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type LifecycleArguments = InferredOptionTypes<typeof lifecycleFlags> & { destination: string }

export const lifecycleCommand: CommandModule<object, LifecycleArguments> = {
  command: 'lifecycle <destination>',
  describe: 'Show what a bucket keeps beside the backups, and the rules that remove it',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(lifecycleFlags)
      .example(
        '$0 destination lifecycle offsite',
        'versioning, rules, incomplete uploads, noncurrent versions',
      )
      .example('$0 destination lifecycle offsite --apply', 'set the recommended rules for its folder')
      .example('$0 destination lifecycle s3://bucket/web --apply --yes --noncurrent-days 90', 'in a script'),
  handler: runLifecycle,
}

async function runLifecycle(args: ArgumentsCamelCase<LifecycleArguments>): Promise<void> {
  const destination = typedDestination(args.destination, args)
  if (destination.kind !== 's3')
    throw new DestinationError(
      'bad-destination',
      `${destination.path} is a folder: only S3 keeps versions and incomplete uploads`,
    )
  const days = {
    noncurrent: countOf('--noncurrent-days', args['noncurrent-days'], 1),
    upload: countOf('--upload-days', args['upload-days'], 1),
  }
  const { logger } = startLogging({ level: args['log-level'] ?? 'warn', readable: true })
  using interrupted = interruption()
  const { signal } = interrupted
  const prefix = destination.prefix === '' ? '' : `${destination.prefix}/`
  const limits = limitsOf(destination.named?.vendor)
  const run = { destination, prefix, days, limits, logger, json: args.json, signal }
  if (args.apply) {
    const { applyLifecycle } = await import('../../lifecycle/apply-lifecycle.ts')
    await applyLifecycle(run, args)
  } else {
    const { showLifecycle } = await import('../../lifecycle/show-lifecycle.ts')
    await showLifecycle(run)
  }
}
