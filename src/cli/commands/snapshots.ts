import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import type { Abortable } from '../../base/abort.ts'
import { formatByteSize } from '../../base/byte-size.ts'
import { Semaphore } from '../../base/semaphore.ts'
import { startLogging } from '../../daemon/logging.ts'
import { type CatalogEntry, listSnapshots } from '../../snapshot/catalog.ts'
import { type ObjectReader, objectKey } from '../../store/object-store.ts'
import { refuseMissingProfile } from '../aws-profile.ts'
import type { ExitCode } from '../exit-codes.ts'
import { interruption } from '../interruption.ts'
import { destinationArgument, jsonFlag, logLevelFlag, storeFlags } from '../options.ts'
import { formatTable, print, printable } from '../output.ts'
import { tellPassedOver } from '../passed-over.ts'
import { findRepositories, passingOver } from '../repositories.ts'
import { typedDestination } from '../typed-destination.ts'

const snapshotsFlags = {
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
  readonly state: 'ok' | 'foreign' | 'damaged'
  /** What is wrong; null when nothing is. */
  readonly reason: string | null
}

/** As of a command that wanted to read one of them. What is foreign is in order: only jbfs cannot read it. */
const exitDamaged: ExitCode = 5

/** Of a thousand accounts, each takes several round trips. */
const repositoriesAtOnce = 8

async function runSnapshots(args: ArgumentsCamelCase<SnapshotsArguments>): Promise<void> {
  const parsed = typedDestination(args.destination, args)
  refuseMissingProfile(parsed, process.env)
  const { openDestination } = await import('../../destination/destination.ts')
  const { logger } = startLogging({ level: args['log-level'] ?? 'error', readable: true })
  using interrupted = interruption()
  using destination = openDestination(parsed, { logger })
  const rows = await snapshotRows(destination.reader, { signal: interrupted.signal })
  if (rows.some(({ state }) => state === 'damaged')) process.exitCode ??= exitDamaged
  if (args.json) print(JSON.stringify(rows, null, 2))
  else if (rows.length === 0) print(`there are no snapshots in ${destination.description}`)
  else printTable(rows)
}

async function snapshotRows(reader: ObjectReader, { signal }: Abortable): Promise<SnapshotRow[]> {
  const places = new Semaphore(repositoriesAtOnce)
  const repositories = await findRepositories(reader, { ...tellPassedOver, signal })
  const rows = repositories.map(async (repository) => {
    using _place = await places.acquire({ signal })
    const rows = await passingOver(tellPassedOver.onRefusal, async () => {
      const entries = await listSnapshots(reader, repository, { signal })
      return Promise.all(entries.map((entry) => rowOf(reader, repository, entry, { signal })))
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
    state: reason === null ? 'ok' : problem?.code === 'foreign' ? 'foreign' : 'damaged',
    reason,
  }
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
