import type { Abortable } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import { Semaphore } from '../base/semaphore.ts'
import { exportPrefix, manifestKey, parseSnapshotName, snapshotsPrefix } from '../destination/layout.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import { largestManifest, type ManifestMembers, manifestMembers } from '../snapshot/manifest.ts'
import type { ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import { ForeignError } from './errors.ts'
import { ObjectNames } from './object-names.ts'
import { type LookedAtObject, lookAtObjects } from './packed-size.ts'
import { type Recognised, recogniseListed } from './recognise.ts'

/** An object beside those of files. */
export interface SurveyedKey extends Recognised {
  /** N of the snapshot that it is named after; undefined: of none, or of all. */
  readonly number: number | undefined
  /** What the manifest of a snapshot says, where it is JSON. */
  readonly manifest: ManifestMembers | undefined
  /** Why it cannot be read. */
  readonly problem: string | undefined
}

export interface Survey {
  /** Numbers of the snapshots, from the oldest. */
  readonly numbers: readonly number[]
  readonly keys: readonly SurveyedKey[]
  /** How many more there are, which were not looked at. */
  readonly more: number
  readonly objects: ObjectNames
  /** Some of them. */
  readonly looked: readonly LookedAtObject[]
}

/** Keys that are looked at, a request each; those of the asked snapshot come first. */
const mostKeys = 200
const atOnce = 8
const lookedAtObjects = 8

/** What lies in a repository: each key in `export/` and `snap.N/` by its first bytes, and a few of the objects. `number`: N of the snapshot that is asked for. */
export async function surveyRepository(
  store: ObjectReader,
  repository: string,
  { number, signal }: Abortable & { readonly number: number | undefined },
): Promise<Survey> {
  const [exported, snapshots, objects] = await Promise.all([
    listAll(store, exportPrefix(repository), { signal }),
    listAll(store, snapshotsPrefix(repository), { signal }),
    ObjectNames.list(store, repository, { signal }),
  ])
  const all = [...exported, ...snapshots]
  const numbers = [...new Set(snapshots.map(({ key }) => numberOf(key, repository)))]
    .filter((each) => each !== undefined)
    .sort((a, b) => a - b)
  const asked = number ?? numbers.at(-1)
  const isAsked = ({ key }: ObjectMetadata): boolean => [asked, undefined].includes(numberOf(key, repository))
  const ordered = [...all.filter(isAsked), ...all.filter((object) => !isAsked(object))]
  const places = new Semaphore(atOnce)
  const keys = ordered.slice(0, mostKeys).map(async (object) => {
    using _place = await places.acquire({ signal })
    return surveyKey(store, repository, object, { signal })
  })
  const looked = await lookAtObjects(store, [...objects.some(lookedAtObjects)].slice(0, lookedAtObjects), {
    signal,
  })
  return {
    numbers,
    keys: (await Promise.all(keys)).filter((key) => key !== undefined),
    more: Math.max(0, all.length - mostKeys),
    objects,
    looked,
  }
}

/** N of the snapshot after which a key is named, in any of its parts. */
function numberOf(key: string, repository: string): number | undefined {
  const names = key.slice(repository.length).split(/[/]|\.(?=\D)/)
  return names.map(parseSnapshotName).find((number) => number !== undefined)
}

async function listAll(
  store: ObjectReader,
  prefix: string,
  { signal }: Abortable,
): Promise<ObjectMetadata[]> {
  const all: ObjectMetadata[] = []
  for await (const { objects } of store.list(prefix, { signal })) all.push(...objects)
  return all
}

async function surveyKey(
  store: ObjectReader,
  repository: string,
  object: ObjectMetadata,
  { signal }: Abortable,
): Promise<SurveyedKey | undefined> {
  const number = numberOf(object.key, repository)
  const recognised = await recogniseListed(store, object, { signal }).catch((error: unknown) => {
    if (error instanceof ForeignError) return error
    throw error
  })
  if (recognised === undefined) return undefined
  if (recognised instanceof ForeignError) {
    const unknown = { container: 'plain', content: 'unknown', manifest: undefined } as const
    return { ...object, ...unknown, number, problem: recognised.message }
  }
  const key = { ...recognised, number, manifest: undefined, problem: undefined }
  const isManifest = number !== undefined && object.key === manifestKey(repository, number)
  if (!isManifest || key.content !== 'json' || key.container !== 'plain' || key.size > largestManifest)
    return key
  const body = await store.get(object.key, { signal })
  if (body === undefined) return undefined
  try {
    return { ...key, manifest: manifestMembers(body.bytes) }
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error
    return { ...key, problem: messageOf(error) }
  }
}
