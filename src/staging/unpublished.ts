import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { codeOf, messageOf } from '../base/errors.ts'
import { isSamePlace } from '../destination/place.ts'
import { processIdentity } from '../destination/process-identity.ts'
import { formerIn } from './former-number.ts'
import { contentsName, databaseName, readWorkingState } from './working-schema.ts'

/** In a folder of working snapshots: of which place they are, and which mount has written them. */
const placeName = 'place'
const writerName = 'writer'

/** The mount that writes to a place. */
export interface PlaceWriter {
  /** Absolute and canonical. */
  readonly mountpoint: string
  /** The command line that mounts the same for writing again. */
  readonly mountAgain: string
}

/**
 * The folder of the working snapshots of one place in the state directory: `name` is its own, unless work waits in another that was made when the place was
 * known by another path. Makes it, and takes down what it is of, and that this process has it.
 */
export function workingFolder(
  stateDir: string,
  name: string,
  place: string,
  { mountpoint, mountAgain }: PlaceWriter,
): string {
  const own = join(stateDir, 'working', name)
  const folder = snapshotsIn(own).length > 0 ? own : (folderOf(stateDir, place) ?? own)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { pid } = process
  const writer = { mountpoint, mountAgain, pid, process: processIdentity(pid) ?? '' }
  writeFileSync(join(folder, placeName), `${place}\n`, { mode: 0o600 })
  writeFileSync(join(folder, writerName), JSON.stringify(writer), { mode: 0o600 })
  return folder
}

/**
 * Places of which this server has something in its state directory that is not published: the next mount for writing takes it up again, and needs the objects
 * that it has stored already, of which no snapshot speaks.
 */
export function unpublishedPlaces(stateDir: string): string[] {
  return placesOf(stateDir).map(({ place }) => place)
}

/** What a mount that is no more has left unpublished. */
export interface UnpublishedWork extends PlaceWriter {
  /** `s3://bucket/path` or a folder. */
  readonly place: string
  readonly snapshots: number
  /** Files and their bytes that are not in the store. */
  readonly files: number
  readonly bytes: number
  /** Why some of it cannot be read, one line; undefined when all can. */
  readonly problem: string | undefined
}

/** What waits in a state directory for a mount that goes on with it. */
export function unpublishedWork(stateDir: string): UnpublishedWork[] {
  return placesOf(stateDir).flatMap(({ place, folder, snapshots }) => {
    const { isAlive, ...writer } = writerIn(folder)
    // It says itself what it has.
    if (isAlive) return []
    const counted = snapshots.map(countsIn).filter((counts) => counts !== undefined)
    if (counted.length === 0) return []
    const sum = (name: 'files' | 'bytes'): number =>
      counted.reduce((total, counts) => total + counts[name], 0)
    const problem = counted.find(({ problem }) => problem !== undefined)?.problem
    return [
      { ...writer, place, snapshots: counted.length, files: sum('files'), bytes: sum('bytes'), problem },
    ]
  })
}

interface Counts {
  readonly files: number
  readonly bytes: number
  readonly problem: string | undefined
}

/** Of the working snapshot in a folder; undefined when all of it is published, or it was never begun whole. */
function countsIn(folder: string): Counts | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(folder, databaseName), { readOnly: true })
    const state = readWorkingState(database)
    if (state === undefined) return undefined
    const isPublished = state.baseEtag !== undefined && state.changes === state.published
    if (isPublished && formerIn(folder, state.number) === undefined) return undefined
    // What an upload that was under way has sent need not be sent again.
    const staged = database
      .prepare(
        `SELECT ino, inode.size AS size, ifnull(growing.freed, 0) AS freed
         FROM staged JOIN inode USING (ino) LEFT JOIN growing USING (ino) WHERE inode.nlink > 0`,
      )
      .all()
    // Of the last writes only the file itself tells.
    const sizes = staged.map(({ ino, size, freed }) => {
      const file = statSync(join(folder, contentsName, String(ino)), { throwIfNoEntry: false })
      return (file?.size ?? Number(size)) - Number(freed)
    })
    return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0), problem: undefined }
  } catch (error) {
    return { files: 0, bytes: 0, problem: messageOf(error) }
  } finally {
    database?.close()
  }
}

/** The mount that has written what is in the folder of a place; with what is certain where that cannot be read. */
function writerIn(folder: string): PlaceWriter & { readonly isAlive: boolean } {
  try {
    const { mountpoint, mountAgain, pid, process } = JSON.parse(
      readFileSync(join(folder, writerName), 'utf8'),
    )
    const isAlive = process !== undefined && processIdentity(pid) === process
    return { mountpoint, mountAgain, isAlive }
  } catch {
    return { mountpoint: folder, mountAgain: 'jbfs mount --read-write', isAlive: false }
  }
}

/** In which work of a place waits. */
function folderOf(stateDir: string, place: string): string | undefined {
  return placesOf(stateDir).find((other) => isSamePlace(other.place, place))?.folder
}

function placesOf(stateDir: string): { place: string; folder: string; snapshots: string[] }[] {
  const working = join(stateDir, 'working')
  return entriesOf(working).flatMap((name) => {
    const folder = join(working, name)
    const snapshots = snapshotsIn(folder)
    if (snapshots.length === 0) return []
    const place = readFileSync(join(folder, placeName), 'utf8').trimEnd()
    return [{ place, folder, snapshots: snapshots.map((entry) => join(folder, entry)) }]
  })
}

function snapshotsIn(folder: string): string[] {
  return entriesOf(folder).filter((entry) => /^\d+$/.test(entry))
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw error
  }
}
