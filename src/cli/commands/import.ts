import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import type { Abortable } from '../../base/abort.ts'
import { formatByteSize } from '../../base/byte-size.ts'
import { contains, nearestRealpath } from '../../base/containment.ts'
import type { Logger } from '../../base/log.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { systemReason } from '../../base/system-reason.ts'
import { startLogging } from '../../daemon/logging.ts'
import { parseSnapshotName } from '../../destination/layout.ts'
import { refuseReadOnly } from '../../destination/refuse-read-only.ts'
import { serverIdentity } from '../../destination/server-identity.ts'
import { type RepositoryPlace, splitRepository } from '../../destination/split-repository.ts'
import { ImportError } from '../../import/errors.ts'
import type { ImportOptions } from '../../import/import-snapshot.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { prepareCacheFolder } from '../cache-folder.ts'
import { CliError } from '../errors.ts'
import { withFolderAdvice } from '../folder-advice.ts'
import { interruption } from '../interruption.ts'
import { countOf, logLevelFlag, stateDirFlag, stateDirOf, storeFlags } from '../options.ts'
import { print } from '../output.ts'
import { ownFolders } from '../own-folders.ts'
import { ProgressDisplay } from '../progress.ts'
import { typedDestination } from '../typed-destination.ts'
import { version } from '../version.ts'

const importFlags = {
  snap: {
    type: 'string',
    requiresArg: true,
    describe: 'N of the new snap.N; the next free one when left out',
  },
  created: {
    type: 'string',
    requiresArg: true,
    describe:
      'when the backup was made, as a date or `now`; else what the source says, or the time of its folder',
  },
  account: { type: 'string', requiresArg: true, describe: 'name of the account; else what the source says' },
  concurrency: { type: 'number', requiresArg: true, default: 32, describe: 'files read and sent at a time' },
  'into-foreign': {
    type: 'boolean',
    default: false,
    describe: 'write into a repository that JetBackup itself has written to',
  },
  'cache-dir': { type: 'string', requiresArg: true, describe: 'where indexes of other snapshots are kept' },
  ...stateDirFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type ImportArguments = InferredOptionTypes<typeof importFlags> & { source: string; repository: string }

export const importCommand: CommandModule<object, ImportArguments> = {
  command: 'import <source> <repository>',
  describe: 'Make a snapshot of a folder, or of a downloaded archive',
  builder: (yargs: Argv) =>
    yargs
      .positional('source', {
        type: 'string',
        demandOption: true,
        describe: 'a folder, or a download_*.tar.gz',
      })
      .positional('repository', {
        type: 'string',
        demandOption: true,
        describe: '<destination>/<repository>[/snap.N]',
      })
      .options(importFlags)
      .example('$0 import ./account /backups/account', 'the next snapshot of a repository in a folder')
      .example('$0 import ./account offsite/account', 'the next one, at a destination of the settings')
      .example('$0 import ./account s3://bucket/backups/account/snap.7', 'a certain one, in a bucket')
      .example('$0 import download_account.tar.gz s3://bucket/backups/account', 'a downloaded archive'),
  handler: runImport,
}

async function runImport(args: ArgumentsCamelCase<ImportArguments>): Promise<void> {
  const given = typedDestination(args.repository, args)
  // Before anything is read or asked.
  refuseReadOnly(given)
  const place = splitRepository(given)
  const { destination, repository, number } = place
  refuseMissingProfile(destination, process.env)
  const { logger } = startLogging({ level: args['log-level'] ?? 'warn', readable: true })
  const { acquireDestination } = await import('../../destination/destination.ts')
  const { backupDirectoryOf } = await import('../../destination/backup-directory.ts')
  const { importSnapshot } = await import('../../import/import-snapshot.ts')
  using interrupted = interruption()
  const { signal } = interrupted
  const created = args.created === undefined ? undefined : secondsOf(args.created)
  const wanted = wantedNumber(number, args.snap)
  const concurrency = countOf('--concurrency', args.concurrency, 1)
  const path = resolve(args.source)
  const openSource = await sourceAt(path, logger)
  const cacheDir = resolve(args['cache-dir'] ?? ownFolders().cache)
  const stateDir = stateDirOf(args)
  await prepare(place, path, { signal })
  await prepareCacheFolder(cacheDir)
  const started = performance.now()
  const owner = await serverIdentity(stateDir, given.named?.owner)
  const writer = `jbfs ${version()}`
  const owned = await backupDirectoryOf({ destination, repository }, { logger, signal })
  await using acquired = await acquireDestination(owned.destination, {
    logger,
    owner,
    program: `${writer} import`,
    signal,
  }).catch((error: unknown) => {
    throw withFolderAdvice(error, owned.destination)
  })
  using display = new ProgressDisplay('import')
  const result = await importSnapshot({
    openSource,
    store: acquired.store,
    repository: owned.repository,
    number: wanted,
    created,
    account: args.account,
    intoForeign: args['into-foreign'],
    concurrency,
    cacheDir,
    onProgress: (progress) => display.show(progress),
    // A takeover is met before the next renewal would meet it.
    beforePublish: () => acquired.lease.confirm({ signal }),
    logger,
    writer,
    signal,
  })
  display[Symbol.dispose]()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  print(
    `${acquired.description}/${owned.repository}snap.${result.number}: ${result.files} files in ${result.folders} folders, ` +
      `${formatByteSize(result.bytes)}; sent ${result.uploadedFiles} (${formatByteSize(result.uploadedBytes)}), ` +
      `reused ${result.reusedFiles}; ${seconds} s`,
  )
}

/** Looks what there is, and leaves it to the import when to open it. */
async function sourceAt(path: string, logger: Logger): Promise<ImportOptions['openSource']> {
  const stats = await stat(path).catch((error: unknown) => {
    throw new ImportError('bad-source', `there is nothing to import at ${path}: ${systemReason(error)}`, {
      cause: error,
    })
  })
  if (stats.isFile()) {
    const { ArchiveSource } = await import('../../import/archive-source.ts')
    return ({ signal }) => ArchiveSource.open(path, { logger, signal })
  }
  const { FolderSource } = await import('../../import/folder-source.ts')
  return () => FolderSource.open(path)
}

/** Refuses a repository that would be written into what is to be imported, or is misplaced, and makes a destination folder that is not there yet. */
async function prepare(place: RepositoryPlace, source: string, options: Abortable): Promise<void> {
  const { refuseMisplaced } = await import('../misplaced.ts')
  const { destination, repository } = place
  if (destination.kind === 'directory') {
    const inner = nearestRealpath(join(destination.path, repository))
    const outer = nearestRealpath(source)
    if (contains(outer, inner))
      throw new CliError('usage', `the repository ${inner} is or lies in what is to be imported, ${outer}`)
  }
  await refuseMisplaced(place, options)
  if (destination.kind !== 'directory') return
  try {
    makeFolder(destination.path)
  } catch (error) {
    throw new CliError(
      'usage',
      `the destination ${destination.path} cannot be made: ${systemReason(error)}`,
      { cause: error },
    )
  }
}

function wantedNumber(inPath: number | undefined, option: string | undefined): number | undefined {
  if (option === undefined) return inPath
  const number = parseSnapshotName(`snap.${option}`)
  if (number === undefined)
    throw new CliError('usage', `--snap is a whole number, 1 or more, not "${option}"`)
  if (inPath !== undefined && inPath !== number)
    throw new CliError('usage', `the path says snap.${inPath}, and --snap says ${number}`)
  return number
}

function secondsOf(text: string): number {
  const millis = text === 'now' ? Date.now() : Date.parse(text)
  if (Number.isNaN(millis))
    throw new CliError('usage', `--created is a date such as 2026-01-31T12:00:00Z, or now, not "${text}"`)
  return Math.floor(millis / 1000)
}
