import { dirname, resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { flag } from '../../base/command-line.ts'
import { messageOf } from '../../base/errors.ts'
import { announcer, startInBackground } from '../../daemon/background.ts'
import { controlSocketPath } from '../../daemon/control-socket.ts'
import { startLogging } from '../../daemon/logging.ts'
import { type MountOptions, mountDefaults, mountOptions, transports } from '../../daemon/mount-options.ts'
import { formatDestination } from '../../destination/parse-destination.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { prepareCacheFolder } from '../cache-folder.ts'
import { CliError } from '../errors.ts'
import { exitCodeOf } from '../exit-codes.ts'
import { requireFuseDevice } from '../fuse-descriptor.ts'
import { interruption } from '../interruption.ts'
import { logFileOf, requireLogFolder } from '../log-file.ts'
import { mountAgainCommandLine } from '../mount-again.ts'
import {
  canonicalMountpoint,
  entriesIn,
  prepareMountpoint,
  refuseInside,
  refuseOverlap,
} from '../mountpoint.ts'
import {
  destinationArgument,
  logLevelFlag,
  pathOf,
  sizeOf,
  stateDirFlag,
  stateDirOf,
  storeFlags,
  storeFlagsOf,
} from '../options.ts'
import { print, warn } from '../output.ts'
import { ownFolders } from '../own-folders.ts'
import { typedDestination } from '../typed-destination.ts'
import { mappingFlag, typedMapping } from '../typed-mapping.ts'
import { version } from '../version.ts'

const mountFlags = {
  foreground: { type: 'boolean', default: false, describe: 'do not go to the background' },
  'read-only': {
    type: 'boolean',
    conflicts: 'read-write',
    describe: 'nothing is ever written to the destination [default]',
  },
  'read-write': {
    type: 'boolean',
    describe:
      'let backups be written there, too: kept in the state folder, stored in the background, and published after five seconds without a change, by jbfs publish and by jbfs umount',
  },
  raw: {
    type: 'boolean',
    default: mountDefaults.raw,
    describe: 'show the keys of the destination as they are (files/, export/, snap.N/), not its snapshots',
  },
  ...mappingFlag,
  ...stateDirFlag,
  'allow-other': {
    type: 'boolean',
    default: mountDefaults.allowOther,
    describe: 'let other users in, as far as the permissions in the backup allow',
  },
  transport: {
    choices: transports,
    requiresArg: true,
    default: mountDefaults.transport,
    describe: 'what carries requests from the kernel',
  },
  memory: {
    type: 'string',
    requiresArg: true,
    default: '256M',
    describe: 'file content kept in memory',
  },
  'disk-cache': {
    type: 'string',
    requiresArg: true,
    default: '0',
    describe: 'file content kept on disk; 0 for none',
  },
  staging: {
    type: 'string',
    requiresArg: true,
    describe: 'with --read-write: room in the state folder for what is written and not stored yet [10G]',
  },
  'cache-dir': {
    type: 'string',
    requiresArg: true,
    describe: 'folder for file indexes and the disk cache [/var/cache/jbfs or ~/.cache/jbfs]',
  },
  refresh: {
    type: 'number',
    requiresArg: true,
    default: mountDefaults.refreshSeconds,
    describe: 'seconds between looks for new snapshots; 0: never; SIGHUP: at once',
  },
  'log-file': {
    type: 'string',
    requiresArg: true,
    describe: 'in the background [/var/log/jbfs/… or ~/.local/state/jbfs/log/…]',
  },
  'fuse-fd': {
    type: 'number',
    requiresArg: true,
    describe: 'an open /dev/fuse that somebody else has mounted',
  },
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type MountArguments = InferredOptionTypes<typeof mountFlags> & { destination: string; mountpoint: string }

export const mountCommand: CommandModule<object, MountArguments> = {
  command: 'mount <destination> <mountpoint>',
  describe: 'Mount a destination as folders',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .positional('mountpoint', { type: 'string', demandOption: true, describe: 'an empty folder' })
      .options(mountFlags)
      .example('$0 mount offsite /mnt/backups', 'a destination of the settings')
      .example(
        '$0 mount --read-write offsite /mnt/backups',
        'to write backups; jbfs umount publishes the last of it',
      )
      .example('$0 mount /backups /mnt/backups', 'a folder of backups')
      .example('$0 mount s3://bucket/backups /mnt/backups --region eu-central-1', 'Amazon S3')
      .example(
        '$0 mount s3://bucket/backups ~/mnt --endpoint https://minio.example:9000',
        'any other S3 server; keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
      )
      .example(
        '$0 mount s3://bucket/backups /mnt/b --disk-cache 20G --foreground',
        'with a cache that stays, until Ctrl-C',
      ),
  handler: runMount,
}

async function runMount(args: ArgumentsCamelCase<MountArguments>): Promise<void> {
  const destination = typedDestination(args.destination, args)
  const mountpoint = await canonicalMountpoint(args.mountpoint)
  if (args.raw && args.mapping !== undefined)
    throw new CliError('usage', '--raw shows the keys as they are: it goes with no --mapping')
  if (args.staging !== undefined && !args['read-write'])
    throw new CliError('usage', '--staging needs --read-write: it is room for what is written')
  const folders = ownFolders()
  const stateDir = stateDirOf(args)
  const logFile = args.foreground ? undefined : logFileOf(mountpoint, folders.log)
  const options = mountOptions({
    destination,
    mountpoint,
    readOnly: args['read-only'] ?? !args['read-write'],
    raw: args.raw,
    mapping: typedMapping(destination, args.mapping),
    stateDir,
    mountAgain: mountAgainCommandLine({ destination, mountpoint, stateDir }, args.config),
    writer: `jbfs ${version()}`,
    allowOther: args['allow-other'],
    transport: args.transport,
    memoryBytes: sizeOf('--memory', args.memory),
    diskCacheBytes: sizeOf('--disk-cache', args['disk-cache']),
    stagingBytes: args.staging === undefined ? mountDefaults.stagingBytes : sizeOf('--staging', args.staging),
    cacheDir: args['cache-dir'] === undefined ? folders.cache : pathOf('--cache-dir', args['cache-dir']),
    refreshSeconds: args.refresh,
    controlSocket: controlSocketPath(folders.runtime, mountpoint),
    logLevel: args['log-level'] ?? mountDefaults.logLevel,
    logFile: args['log-file'] === undefined ? logFile : pathOf('--log-file', args['log-file']),
    fuseFd: args['fuse-fd'],
  })
  if (options.fuseFd !== undefined) requireFuseDevice(options.fuseFd)
  refuseMissingProfile(destination, process.env)
  refuseOverlap(mountpoint, foldersInUse(options))
  if (destination.kind === 'directory')
    refuseInside(destination.path, [
      { path: options.cacheDir, what: 'the cache folder', option: '--cache-dir' },
      ...(options.logFile === undefined
        ? []
        : [{ path: options.logFile, what: 'the log', option: '--log-file' }]),
      ...(options.readOnly
        ? []
        : [{ path: options.stateDir, what: 'the state folder', option: '--state-dir' }]),
    ])
  if (args['log-file'] !== undefined) await requireLogFolder(options.logFile as string)
  await prepareCacheFolder(options.cacheDir)
  // Whoever hands over a descriptor has mounted already.
  if (options.fuseFd === undefined) {
    await prepareMountpoint(mountpoint)
    const hidden = isBackground() ? 0 : await entriesIn(mountpoint)
    if (hidden > 0) warn(`${mountpoint} is not empty: the mount hides what is in it (entries: ${hidden})`)
  }
  if (args.foreground) await serve(options)
  else await startAndWait(options, args)
}

/** Files that the process in the background reads itself. */
type GivenFiles = Pick<MountArguments, 'config' | 'mapping'>

function foldersInUse(options: MountOptions): { path: string; what: string; mayHold?: boolean }[] {
  const { destination } = options
  return [
    { path: options.cacheDir, what: 'the cache folder' },
    ...(destination.kind === 'directory' ? [{ path: destination.path, what: 'the destination' }] : []),
    ...(options.readOnly ? [] : [{ path: options.stateDir, what: 'the state folder' }]),
    { path: dirname(options.controlSocket), what: 'the folder of the control socket', mayHold: true },
    ...(options.logFile === undefined
      ? []
      : [{ path: dirname(options.logFile), what: 'the folder of the log', mayHold: true }]),
  ]
}

/** Whether `startAndWait` of another process waits for this one, and has checked all that can be checked before. */
function isBackground(): boolean {
  return process.connected
}

async function serve(options: MountOptions): Promise<void> {
  const isAwaited = isBackground()
  const { tell, ready, failed } = announcer()
  const logging = startLogging({ level: options.logLevel, file: options.logFile })
  process.on('SIGHUP', logging.reopen)
  try {
    const { runDaemon } = await import('../../daemon/daemon.ts')
    await runDaemon(options, {
      logger: logging.logger,
      // A log on standard error has it.
      tell: isAwaited || options.logFile === undefined ? tell : warn,
      onReady: ready,
    })
  } catch (error) {
    await failed(error)
    if (!isAwaited) throw error
    const stack = error instanceof Error ? error.stack : undefined
    logging.logger.error({ stack }, messageOf(error))
    process.exitCode = exitCodeOf(error)
  } finally {
    process.off('SIGHUP', logging.reopen)
  }
}

async function startAndWait(options: MountOptions, given: GivenFiles): Promise<void> {
  using interrupted = interruption()
  await startInBackground({
    command: [process.execPath, resolve(process.argv[1] as string), ...backgroundArguments(options, given)],
    logFile: options.logFile as string,
    fuseFd: options.fuseFd,
    signal: interrupted.signal,
    onNotice: warn,
  })
  if (process.stdout.isTTY)
    print(
      `mounted at ${options.mountpoint} (log: ${options.logFile}); jbfs umount ${options.mountpoint} ends it`,
    )
}

/**
 * The same options for the process in the background: nothing in them depends on the working folder, and none is a secret. It reads the
 * settings itself, for the keys.
 */
function backgroundArguments(options: MountOptions, { config, mapping }: GivenFiles): string[] {
  return [
    'mount',
    '--foreground',
    ...(options.readOnly ? [] : ['--read-write', ...flag('staging', options.stagingBytes)]),
    ...(options.raw ? ['--raw'] : []),
    ...(options.allowOther ? ['--allow-other'] : []),
    ...flag('mapping', mapping && pathOf('--mapping', mapping)),
    ...flag('state-dir', options.stateDir),
    ...flag('transport', options.transport),
    ...flag('memory', options.memoryBytes),
    ...flag('disk-cache', options.diskCacheBytes),
    ...flag('cache-dir', options.cacheDir),
    ...flag('refresh', options.refreshSeconds),
    ...flag('log-level', options.logLevel),
    ...flag('log-file', options.logFile),
    ...flag('fuse-fd', options.fuseFd),
    ...storeFlagsOf(options.destination, config),
    formatDestination(options.destination),
    options.mountpoint,
  ]
}
