import { rm } from 'node:fs/promises'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import type { Abortable } from '../../base/abort.ts'
import { startLogging } from '../../daemon/logging.ts'
import type { Mapping } from '../../foreign/mapping.ts'
import type { CheckedRepository, CheckOptions, CheckResult } from '../../maintenance/check-repository.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { CliError } from '../errors.ts'
import type { ExitCode } from '../exit-codes.ts'
import { interruption } from '../interruption.ts'
import { checkProgressText } from '../maintenance/check-progress.ts'
import { type CheckReport, jsonReport, textReport } from '../maintenance/check-report.ts'
import { refuseSnapshot } from '../maintenance/place.ts'
import { countOf, destinationArgument, jsonFlag, logLevelFlag, storeFlags } from '../options.ts'
import { warn } from '../output.ts'
import { tellPassedOver } from '../passed-over.ts'
import { ProgressLine } from '../progress-line.ts'
import { findRepositories, passingOver } from '../repositories.ts'
import { typedDestination } from '../typed-destination.ts'
import { mappingFlag, typedMapping } from '../typed-mapping.ts'

const checkFlags = {
  'read-data': {
    type: 'string',
    requiresArg: true,
    describe: 'also read the objects and compare their SHA-256: all of them, or =PERCENT of them',
  },
  concurrency: { type: 'number', requiresArg: true, default: 16, describe: 'objects read at a time' },
  ...mappingFlag,
  ...jsonFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type CheckArguments = InferredOptionTypes<typeof checkFlags> & { destination: string }

export const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <destination>',
  describe: 'Look whether all snapshots, and all that they refer to, are there',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(checkFlags)
      .example('$0 check offsite', 'every manifest, index and object is there, with the right size')
      .example('$0 check offsite/account --read-data', 'one repository; the objects have the right bytes')
      .example('$0 check s3://bucket/backups --read-data=5', 'of five percent of the objects, at random'),
  handler: runCheck,
}

/** As of a command that wanted to read what is missing. */
const exitDamaged: ExitCode = 5

async function runCheck(args: ArgumentsCamelCase<CheckArguments>): Promise<void> {
  const parsed = typedDestination(args.destination, args)
  refuseSnapshot(parsed)
  refuseMissingProfile(parsed, process.env)
  const mapping = typedMapping(parsed, args.mapping)
  const concurrency = countOf('--concurrency', args.concurrency, 1)
  const percent = args['read-data'] === undefined ? undefined : percentOf(args['read-data'])
  const readData = percent === undefined ? undefined : { percent, concurrency }
  const { openDestination } = await import('../../destination/destination.ts')
  const { makeTemporaryFolder } = await import('../../import/temporary-folder.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  using interrupted = interruption()
  const { signal } = interrupted
  using destination = openDestination(parsed, { logger })
  const { reader, description } = destination
  const repositories = await findRepositories(reader, { ...tellPassedOver, signal })
  const report = args.json ? jsonReport(description) : textReport(description)
  const temporary = await makeTemporaryFolder('jbfs-check-')
  try {
    await checkAll({ reader, repositories, report, temporary, readData, mapping, logger, signal })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

interface CheckRun extends Pick<CheckOptions, 'reader' | 'temporary' | 'readData' | 'logger'>, Abortable {
  readonly repositories: readonly string[]
  readonly report: CheckReport
  readonly mapping: Mapping | undefined
}

async function checkAll({ repositories, report, mapping, ...options }: CheckRun): Promise<void> {
  const check = await checkOf(mapping)
  const checked: CheckedRepository[] = []
  let problems = 0
  using line = new ProgressLine()
  for (const repository of repositories) {
    let readingSince: number | undefined
    const found = await passingOver(tellPassedOver.onRefusal, () =>
      check({
        ...options,
        repository,
        onProgress(progress) {
          if (progress.read !== undefined) readingSince ??= performance.now()
          line.show(() =>
            checkProgressText(
              repository.replace(/\/$/, ''),
              progress,
              (performance.now() - (readingSince ?? 0)) / 1000,
            ),
          )
        },
      }),
    )
    if (found === undefined) continue
    checked.push(found.checked)
    line.clear()
    for (const problem of found.problems) {
      options.signal?.throwIfAborted()
      await report.problem(problem)
      problems++
    }
  }
  line.clear()
  // A path that is mistyped must not pass for a sound destination.
  if (repositories.length === 0) warn('there are no repositories to check')
  if (problems > 0 || repositories.length === 0) process.exitCode ??= exitDamaged
  await report.end(checked, problems)
}

async function checkOf(
  mapping: Mapping | undefined,
): Promise<(options: CheckOptions) => Promise<CheckResult>> {
  if (mapping === undefined) return (await import('../../maintenance/check-repository.ts')).checkRepository
  const { checkMappedRepository } = await import('../../maintenance/check-mapped-repository.ts')
  return (options) => checkMappedRepository({ ...options, mapping })
}

function percentOf(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1])
  if (percent > 0 && percent <= 100) return percent
  throw new CliError('usage', `--read-data is a percentage, above 0 and up to 100, not "${text}"`)
}
