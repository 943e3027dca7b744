import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { startLogging } from '../../../daemon/logging.ts'
import type { Check, Finding, FindingState } from '../../../destination/diagnosis/finding.ts'
import { type Destination, formatDestination } from '../../../destination/parse-destination.ts'
import { serverIdentity } from '../../../destination/server-identity.ts'
import { CliError } from '../../errors.ts'
import { interruption } from '../../interruption.ts'
import {
  destinationArgument,
  jsonFlag,
  logLevelFlag,
  stateDirFlag,
  stateDirOf,
  storeFlags,
} from '../../options.ts'
import { print, printable } from '../../output.ts'
import { typedDestination } from '../../typed-destination.ts'

const testFlags = {
  'read-only': {
    type: 'boolean',
    default: false,
    describe: 'it is only to be read: write nothing to find out',
  },
  ...jsonFlag,
  ...stateDirFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type TestArguments = InferredOptionTypes<typeof testFlags> & { destination: string }

export const testCommand: CommandModule<object, TestArguments> = {
  command: 'test <destination>',
  describe: 'Look whether a destination can be used, step by step, and what to do if not',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(testFlags)
      .example('$0 destination test offsite', 'a line for each step')
      .example(
        '$0 destination test s3://bucket/backups --read-only',
        'before mounting the backups of another server',
      ),
  handler: runTest,
}

async function runTest(args: ArgumentsCamelCase<TestArguments>): Promise<void> {
  const destination = typedDestination(args.destination, args)
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  using interrupted = interruption()
  const { named } = destination
  const self = await serverIdentity(stateDirOf(args), named?.owner)
  const { diagnose } = await import('../../../destination/diagnosis/diagnose.ts')
  const findings: Finding[] = []
  const found = diagnose(destination, {
    logger,
    self,
    isReadOnly: args['read-only'] || (named?.readOnly ?? false),
    signal: interrupted.signal,
  })
  for await (const finding of found) {
    findings.push(finding)
    if (!args.json) for (const line of linesOf(finding, destination)) print(line)
  }
  const untried = findings.filter(({ state, text }) => state === 'untried' && text === undefined)
  if (!args.json && untried.length > 0)
    print(`- not tried: ${untried.map(({ check }) => titleOf(check, destination)).join(', ')}`)
  if (args.json) print(JSON.stringify(findings, null, 2))
  const count = findings.filter(({ state }) => state === 'bad').length
  if (count > 0)
    throw new CliError(
      'test-failed',
      `${formatDestination(destination)} cannot be used as it is: ${count === 1 ? 'one step fails' : `${count} steps fail`}`,
    )
}

const marks: Readonly<Record<FindingState, string>> = { good: '✓', bad: '✗', doubtful: '!', untried: '-' }

function linesOf({ check, state, text, advice }: Finding, destination: Destination): string[] {
  if (text === undefined) return []
  const line = `${marks[state]} ${titleOf(check, destination).padEnd(10)}  ${printable(text)}`
  return advice === undefined ? [line] : [line, `${' '.repeat(14)}→ ${printable(advice)}`]
}

function titleOf(check: Check, { kind }: Destination): string {
  if (check !== 'place') return check
  return kind === 'directory' ? 'folder' : 'bucket'
}
