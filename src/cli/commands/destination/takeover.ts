import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import type { Abortable } from '../../../base/abort.ts'
import { startLogging } from '../../../daemon/logging.ts'
import { DestinationError } from '../../../destination/errors.ts'
import { ownersBelow, ownersBelowText } from '../../../destination/owners-below.ts'
import type { OwnerFile } from '../../../destination/ownership.ts'
import { formatDestination } from '../../../destination/parse-destination.ts'
import { refuseReadOnly } from '../../../destination/refuse-read-only.ts'
import { serverIdentity } from '../../../destination/server-identity.ts'
import { type FoundOwner, takeOver } from '../../../destination/takeover.ts'
import { CliError } from '../../errors.ts'
import { interruption } from '../../interruption.ts'
import {
  destinationArgument,
  logLevelFlag,
  stateDirFlag,
  stateDirOf,
  storeFlags,
  yesFlag,
} from '../../options.ts'
import { print, printable } from '../../output.ts'
import { insideText, linesBefore, takenText } from '../../takeover-texts.ts'
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
  const { openDestination, openOwnerFile } = await import('../../../destination/destination.ts')
  const { backupDirectoryOf } = await import('../../../destination/backup-directory.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  using interrupted = interruption()
  const { signal } = interrupted
  const self = await serverIdentity(stateDirOf(args), destination.named?.owner)
  const owned = await backupDirectoryOf({ destination, repository: '' }, { logger, signal })
  using opened = openOwnerFile(owned.destination, { logger })
  const { file, description } = opened
  const found = await ownerIn(file, { signal })
  const isInside = owned.repository !== ''
  if (found !== 'unreadable' && found?.record.owner.id === self.id)
    return print(
      isInside
        ? `${formatDestination(destination)} lies in ${description}, which is this server's already`
        : `${description} is this server's already`,
    )
  // Two owners of one folder would not see each other's writers.
  if (isInside)
    throw new DestinationError('owned', insideText(destination, owned.destination, { found, self }))
  using looked = openDestination(destination, { logger })
  const others = ownersBelowText(await ownersBelow(looked.reader, self, { signal }))
  const names = [formatDestination(destination), description, args.destination]
  if (!args.yes && !(await isConfirmed(names, linesBefore(description, { found, self }, others))))
    return print(`${formatDestination(destination)} stays as it is`)
  if (!(await takeOver(file, self, found, { signal })))
    throw new DestinationError('in-use', `somebody else has just written to ${description}: look again`)
  print(takenText(description, self, found))
  if (others !== undefined) print(printable(others))
}

/** `unreadable`: nobody can say whose it is. */
async function ownerIn(file: OwnerFile, options: Abortable): Promise<FoundOwner> {
  try {
    return await file.read(options)
  } catch (error) {
    if (error instanceof DestinationError && error.code === 'bad-owner') return 'unreadable'
    throw error
  }
}

/** The first of `names` is asked for, and each of them taken. */
async function isConfirmed(names: readonly string[], lines: readonly string[]): Promise<boolean> {
  if (!isAtTerminal())
    throw new CliError('usage', `${lines.join('. ')}. Say --yes to take it over all the same`)
  using terminal = new Terminal()
  for (const line of lines) terminal.say(`${printable(line)}.`)
  terminal.say('Who owned it will not be able to write there any more, until it takes the directory back.')
  return names.includes(await terminal.ask(`Type ${names[0]} to take it over: `))
}
