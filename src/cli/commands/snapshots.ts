import { basename, dirname } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import type { Abortable } from '../../base/abort.ts'
import { formatByteSize } from '../../base/byte-size.ts'
import { Semaphore } from '../../base/semaphore.ts'
import { startLogging } from '../../daemon/logging.ts'
import { parseSnapshotName } from '../../destination/layout.ts'
import { type Destination, formatDestination } from '../../destination/parse-destination.ts'
import { pathIn, placeAt } from '../../destination/split-repository.ts'
import { withMapping } from '../../foreign/mapped-snapshot.ts'
import { type CatalogEntry, listSnapshots } from '../../snapshot/catalog.ts'
import { type ObjectReader, objectKey } from '../../store/object-store.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import { CliError } from '../errors.ts'
import type { ExitCode } from '../exit-codes.ts'
import { interruption } from '../interruption.ts'
import { destinationArgument, jsonFlag, logLevelFlag, storeFlags } from '../options.ts'
import { formatTable, print, printable } from '../output.ts'
import { tellPassedOver } from '../passed-over.ts'
import { findRepositories, passingOver } from '../repositories.ts'
import { typedDestination } from '../typed-destination.ts'
import { mappingFlag, typedMapping } from '../typed-mapping.ts'

const snapshotsFlags = {
  ...mappingFlag,
  ...jsonFlag,
  ...logLevelFlag,
  ...storeFlags,
} as const satisfies Record<string, Options>

type SnapshotsArguments = InferredOptionTypes<typeof snapshotsFlags> & { destination: string }

export const snapshotsCommand: CommandModule<object, SnapshotsArguments> = {
  command: 'snapshots <destination>',
  describe: 'List the snapshots of a destination',
  builder: (yargs: Argv) =>
    yargs
      .positional('destination', destinationArgument)
      .options(snapshotsFlags)
      .example('$0 snapshots offsite', 'a table')
      .example('$0 snapshots offsite/account/snap.3', 'only that one')
      .example('$0 snapshots s3://bucket/backups --json', 'for a program'),
  handler: runSnapshots,
}

/** A line of the table, and an object of `--json`. */
interface SnapshotRow {
  /** Path below the destination; '' when the destination itself is the repository. */
  readonly repository: string
  readonly snapshot: string
  /** ISO 8601; null when no manifest says it. */
  readonly created: string | null
  readonly files: number | null
  /** Bytes of all files. */
  readonly size: number | null
  readonly state: 'ok' | 'mapped' | 'foreign' | 'damaged'
  /** What is wrong; null when nothing is. */
  readonly reason: string | null
}

/** As of a command that wanted to read one of them. What is foreign is in order: only jbfs cannot read it. */
const exitDamaged: ExitCode = 5

/** Of a thousand accounts, each takes several round trips. */
const repositoriesAtOnce = 8

async function runSnapshots(args: ArgumentsCamelCase<SnapshotsArguments>): Promise<void> {
  const parsed = typedDestination(args.destination, args)
  const mapping = typedMapping(parsed, args.mapping)
  refuseMissingProfile(parsed, process.env)
  const { openDestination } = await import('../../destination/destination.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  using interrupted = interruption()
  const { signal } = interrupted
  const { place, snapshot } = placeOf(parsed)
  using destination = openDestination(place, { logger })
  const { reader } = destination
  const rows = await snapshotRows(reader, { signal, snapshot, isMapped: mapping !== undefined })
  // What could not be looked at has been told, and may be there.
  if (rows.length === 0 && process.exitCode === undefined)
    await refuseAbsent(parsed, snapshot, reader, { signal })
  if (rows.some(({ state }) => state === 'damaged')) process.exitCode ??= exitDamaged
  if (args.json) print(JSON.stringify(rows, null, 2))
  else if (rows.length === 0) print(`there are no snapshots in ${destination.description}`)
  else printTable(rows)
}

/** What is asked for: a place with all that lies below it, or one snapshot in it. */
function placeOf(asked: Destination): { place: Destination; snapshot: string | undefined } {
  const path = pathIn(asked)
  const name = basename(path)
  if (parseSnapshotName(name) === undefined) return { place: asked, snapshot: undefined }
  return { place: placeAt(asked, dirname(path)), snapshot: name }
}

/**
 * Throws `nothing-there` when not even an object lies there: a slip in a path must not pass for a place without snapshots. A destination itself may be
 * new, and of a local folder that is not there the store has said so.
 */
async function refuseAbsent(
  asked: Destination,
  snapshot: string | undefined,
  reader: ObjectReader,
  { signal }: Abortable,
): Promise<void> {
  const text = formatDestination(asked)
  if (snapshot !== undefined) throw new CliError('nothing-there', `there is no snapshot ${text}`)
  if (asked.kind === 'directory' || asked.prefix === (asked.named?.backupDirectory ?? '')) return
  for await (const { objects, prefixes } of reader.list('', { delimiter: '/', signal }))
    if (objects.length > 0 || prefixes.length > 0) return
  throw new CliError('nothing-there', `there is no repository or folder ${text}`)
}

interface Asked extends Abortable {
  /** Only that one, of a repository that is the destination itself. */
  readonly snapshot: string | undefined
  /** There is a mapping for what something else wrote. */
  readonly isMapped: boolean
}

async function snapshotRows(
  reader: ObjectReader,
  { signal, snapshot, isMapped }: Asked,
): Promise<SnapshotRow[]> {
  const places = new Semaphore(repositoriesAtOnce)
  const repositories =
    snapshot === undefined ? await findRepositories(reader, { ...tellPassedOver, signal }) : ['']
  const rows = repositories.map(async (repository) => {
    using _place = await places.acquire({ signal })
    const rows = await passingOver(tellPassedOver.onRefusal, async () => {
      const listed = await listSnapshots(reader, repository, { signal })
      const entries = isMapped ? withMapping(listed) : listed
      const asked = entries.filter(({ name }) => snapshot === undefined || name === snapshot)
      return Promise.all(asked.map((entry) => rowOf(reader, repository, entry, { signal })))
    })
    return rows ?? []
  })
  return (await Promise.all(rows)).flat()
}

async function rowOf(
  reader: ObjectReader,
  repository: string,
  entry: CatalogEntry,
  { signal }: Abortable,
): Promise<SnapshotRow> {
  const { manifest, problem } = entry
  const totals = manifest?.jbfs ?? foreignTotals(entry)
  const reason = problem?.message ?? (await indexProblem(reader, repository, entry, { signal })) ?? null
  return {
    repository: repository.replace(/\/$/, ''),
    snapshot: entry.name,
    created: manifest && manifest.created !== 0 ? new Date(manifest.created * 1000).toISOString() : null,
    files: totals?.files ?? null,
    size: totals?.bytes ?? null,
    state: stateOf(entry, reason),
    reason,
  }
}

function stateOf({ manifest, problem }: CatalogEntry, reason: string | null): SnapshotRow['state'] {
  if (reason !== null) return problem?.code === 'foreign' ? 'foreign' : 'damaged'
  return manifest?.jbfs === undefined ? 'mapped' : 'ok'
}

/** The vendor's manifest has counts for each item, where it has them. */
function foreignTotals({ manifest }: CatalogEntry): { files: number; bytes: number } | undefined {
  const items = manifest?.items.filter(({ files, size }) => files > 0 || size > 0) ?? []
  if (items.length === 0) return undefined
  return {
    files: items.reduce((sum, { files }) => sum + files, 0),
    bytes: items.reduce((sum, { size }) => sum + size, 0),
  }
}

/** What one HEAD shows of the file index; its content is verified when it is mounted. */
async function indexProblem(
  reader: ObjectReader,
  repository: string,
  { manifest }: CatalogEntry,
  { signal }: Abortable,
): Promise<string | undefined> {
  const index = manifest?.jbfs?.index
  if (index === undefined) return undefined
  const key = objectKey(`${repository}${index.key}`)
  const found = await reader.head(key, { signal })
  if (found === undefined) return `its file index ${key} is missing`
  if (found.size !== index.size)
    return `its file index ${key} has ${found.size} bytes instead of ${index.size}`
  return undefined
}

function printTable(rows: readonly SnapshotRow[]): void {
  const columns = [
    { title: 'REPOSITORY' },
    { title: 'SNAPSHOT' },
    { title: 'CREATED' },
    { title: 'FILES', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'STATE' },
  ] as const
  const cells = rows.map(({ repository, snapshot, created, files, size, state, reason }) => [
    repository === '' ? '.' : printable(repository),
    snapshot,
    created === null ? '?' : new Date(created).toLocaleString('sv-SE'),
    files === null ? '?' : String(files),
    size === null ? '?' : formatByteSize(size),
    reason === null ? state : `${state}: ${printable(reason)}`,
  ])
  print(formatTable(columns, cells))
}
