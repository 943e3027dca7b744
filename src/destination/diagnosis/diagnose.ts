import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import type { ObjectReader } from '../../store/object-store.ts'
import { backupDirectoryOf } from '../backup-directory.ts'
import { openBucket } from '../bucket.ts'
import { type OpenOptions, openForTrial, probeDestination } from '../destination.ts'
import { DestinationError } from '../errors.ts'
import type { Owner } from '../owner-record.ts'
import { ownersBelow, ownersBelowText } from '../owners-below.ts'
import { OwnerFile, type Ownership } from '../ownership.ts'
import { type Destination, formatDestination, type S3Destination } from '../parse-destination.ts'
import { takeoverCommandLine } from '../takeover-command-line.ts'
import { bucketFindings } from './bucket-findings.ts'
import { findingOf, serverOf } from './causes.ts'
import { type Check, checks, type Finding, good, untried } from './finding.ts'
import { ownerFinding } from './owner-finding.ts'
import { readFindings } from './read-findings.ts'
import { serverFindings } from './server-findings.ts'
import { writeFindings } from './write-findings.ts'

export interface DiagnosisOptions extends OpenOptions, Abortable {
  /** This server. */
  readonly self: Owner
  /** It will only be read: nothing is written to find out, and whose it is does not matter. */
  readonly isReadOnly: boolean
}

/**
 * Looks from the network up to the permissions whether a destination can be used, and says one thing of each check. What rests on a check
 * that failed is `untried`. Writes at most one small object, which it removes, and that only where nobody else is the owner.
 */
export async function* diagnose(destination: Destination, options: DiagnosisOptions): AsyncIterable<Finding> {
  const left = checksFor(destination, options.isReadOnly)
  for await (const finding of findings(destination, options)) {
    // What comes before it was passed on the way to it.
    while (left[0] !== undefined && isBefore(left[0], finding.check))
      yield good(left[0], passedText(left.shift() as Check, destination))
    if (left[0] === finding.check) left.shift()
    yield finding
  }
  for (const check of left) yield untried(check)
}

/** Those that there are for this kind of destination and this use, in their order. */
function checksFor(destination: Destination, isReadOnly: boolean): Check[] {
  const ofServers: readonly Check[] = ['host', 'connection', 'TLS', 'clock', 'keys', 'region']
  const ofBuckets: readonly Check[] = ['versioning', 'lifecycle']
  const ofWriters: readonly Check[] = ['write', 'conditions']
  return checks.filter(
    (check) =>
      !(destination.kind === 'directory' && [...ofServers, ...ofBuckets].includes(check)) &&
      !(isReadOnly && [...ofWriters, ...ofBuckets].includes(check)),
  )
}

function isBefore(check: Check, other: Check): boolean {
  return checks.indexOf(check) < checks.indexOf(other)
}

function passedText(check: Check, destination: Destination): string {
  if (check === 'host') return serverOf(destination)
  if (check === 'keys') return 'the server knows them'
  if (check === 'region') return destination.store.region ?? 'any will do'
  if (check === 'place') return destination.kind === 'directory' ? destination.path : destination.bucket
  return 'passed'
}

async function* findings(destination: Destination, options: DiagnosisOptions): AsyncIterable<Finding> {
  const { signal, isReadOnly } = options
  if (destination.kind === 's3') {
    const reaching = await reachingFindings(destination, options)
    yield* reaching
    if (reaching.some(({ state }) => state === 'bad')) return
  }
  using opened = openForTrial(destination, options)
  const { store } = opened
  let last: Finding | undefined
  for await (last of readFindings(store, destination, { signal })) yield last
  if (last?.check !== 'read') return
  const owner = await ownerFindingOf(store, destination, options)
  if (owner === undefined) return
  yield owner
  if (isReadOnly) return
  if (owner.state !== 'bad') yield* writeFindings(store, destination, { signal })
  else yield* [untried('write', "not tried, as it is not this server's"), untried('conditions')]
  if (destination.kind === 'directory') return
  using bucket = openBucket(destination, options.logger)
  yield* bucketFindings(bucket, destination, { signal })
}

async function reachingFindings(destination: S3Destination, options: DiagnosisOptions): Promise<Finding[]> {
  try {
    return serverFindings(destination, await probeDestination(destination, options))
  } catch (error) {
    return [findingOf(error, destination)]
  }
}

/** Of the nearest owner, from the destination upwards, as its writers find it. undefined when the store cannot be asked. */
async function ownerFindingOf(
  reader: ObjectReader,
  destination: Destination,
  options: DiagnosisOptions,
): Promise<Finding | undefined> {
  const { self, isReadOnly, signal } = options
  try {
    const owned = await backupDirectoryOf({ destination, repository: '' }, options)
    const isAround = owned.repository !== ''
    const finding = ownerFinding(await ownershipOf(owned.destination, options), {
      self,
      isReadOnly,
      around: isAround ? formatDestination(owned.destination) : undefined,
      takeover: takeoverCommandLine(owned.destination),
    })
    if (isReadOnly || finding.state === 'bad') return finding
    const others = ownersBelowText(await ownersBelow(reader, self, { signal }))
    return others === undefined ? finding : { ...finding, text: `${finding.text}; ${others}` }
  } catch (error) {
    if (error instanceof StoreError) return undefined
    throw error
  }
}

/** What it cannot understand is a value here. */
async function ownershipOf(
  destination: Destination,
  options: DiagnosisOptions,
): Promise<Ownership | DestinationError | undefined> {
  using opened = openForTrial(destination, options)
  try {
    return await new OwnerFile(opened.store).read(options)
  } catch (error) {
    if (error instanceof DestinationError) return error
    throw error
  }
}
