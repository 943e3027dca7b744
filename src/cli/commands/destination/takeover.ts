import { resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import type { Abortable } from '../../../base/abort.ts'
import { startLogging } from '../../../daemon/logging.ts'
import { DestinationError } from '../../../destination/errors.ts'
import type { Owner } from '../../../destination/owner-record.ts'
import { ageText, type OwnerFile, type Ownership, ownerText } from '../../../destination/ownership.ts'
import { refuseReadOnly } from '../../../destination/refuse-read-only.ts'
import { serverIdentity } from '../../../destination/server-identity.ts'
import { takeOver } from '../../../destination/takeover.ts'
import { CliError } from '../../errors.ts'
import { interruption } from '../../interruption.ts'
import { destinationArgument, logLevelFlag, stateDirFlag, storeFlags, yesFlag } from '../../options.ts'
import { print } from '../../output.ts'
import { ownFolders } from '../../own-folders.ts'
import { isAtTerminal, Terminal } from '../../terminal.ts'
import { typedDestination } from '../../typed-destination.ts'

const takeoverFlags = {
  ...yesFlag,
  ...stateDirFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type TakeoverArguments = InferredOptionTypes<typeof takeoverFlags> & { destination: string }

export const takeoverCommand: CommandModule<object, TakeoverArguments> = {
  command: 'takeover <destination>',
  describe: "Make a backup directory this server's, for good, whoever owns it",
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(takeoverFlags)
      .example('$0 destination takeover offsite', 'when the server that owned it is gone'),
  handler: runTakeover,
}

async function runTakeover(args: ArgumentsCamelCase<TakeoverArguments>): Promise<void> {
  const destination = typedDestination(args.destination, args)
  refuseReadOnly(destination)
  const { openOwnerFile } = await import('../../../destination/destination.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  using interrupted = interruption()
  const { signal } = interrupted
  const name = destination.kind === 's3' ? destination.named?.owner : undefined
  const self = await serverIdentity(resolve(args['state-dir'] ?? ownFolders().state), name)
  using opened = openOwnerFile(destination, { logger })
  const { file, description } = opened
  const found = await ownershipOf(file, { signal })
  if (found !== 'unreadable' && found?.record.owner.id === self.id)
    return print(`${description} is this server's already`)
  if (!args.yes && !(await isConfirmed(description, sayWhose(found))))
    return print(`${description} stays as it is`)
  if (!(await takeOver(file, self, found, { signal })))
    throw new DestinationError('in-use', `somebody else has just written to ${description}: look again`)
  print(doneText(description, self, found === 'unreadable' ? undefined : found))
}

/** `unreadable`: nobody can say whose it is. */
async function ownershipOf(
  file: OwnerFile,
  options: Abortable,
): Promise<Ownership | 'unreadable' | undefined> {
  try {
    return await file.read(options)
  } catch (error) {
    if (error instanceof DestinationError && error.code === 'bad-owner') return 'unreadable'
    throw error
  }
}

function sayWhose(found: Ownership | 'unreadable' | undefined): string {
  if (found === undefined) return "it is nobody's yet"
  if (found === 'unreadable') return 'what says whose it is cannot be understood'
  const { lease } = found.record
  const isLive = lease !== undefined && found.age < lease.seconds
  return isLive
    ? `it belongs to ${ownerText(found)}, which is WRITING TO IT NOW (${lease.program}, process ${lease.pid}): what it has not stored yet will not get there`
    : `it belongs to ${ownerText(found)}, last heard of ${ageText(found.age)} ago`
}

async function isConfirmed(description: string, whose: string): Promise<boolean> {
  if (!isAtTerminal())
    throw new CliError('usage', `${description}: ${whose}. Say --yes to take it over all the same`)
  using terminal = new Terminal()
  terminal.say(`${description}: ${whose}.`)
  terminal.say('It will not be able to write there any more, until it takes the directory back.')
  return (await terminal.ask(`Type ${description} to take it over: `)) === description
}

function doneText(description: string, { name }: Owner, before: Ownership | undefined): string {
  const lease = before?.record.lease
  const wait = lease === undefined ? 0 : Math.ceil(lease.seconds - before!.age)
  const later = wait > 0 ? `; it can be written to in ${wait} s, when its writer has seen it` : ''
  return `${description} belongs to ${name} now${later}`
}
