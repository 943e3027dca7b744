import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../base/errors.ts'

/** In a folder of working snapshots: of which place they are. */
const placeName = 'place'

/** The folder of the working snapshots of one place in the state directory; `name` is its own. Makes it, and takes down what it is of. */
export function workingFolder(stateDir: string, name: string, place: string): string {
  const folder = join(stateDir, 'working', name)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, placeName), `${place}\n`, { mode: 0o600 })
  return folder
}

/**
 * Places of which this server has something in its state directory that is not published: the next mount for writing takes it up again, and needs the objects
 * that it has stored already, of which no snapshot speaks.
 */
export function unpublishedPlaces(stateDir: string): string[] {
  const working = join(stateDir, 'working')
  return entriesOf(working).flatMap((name) => {
    const folder = join(working, name)
    if (!entriesOf(folder).some((entry) => /^\d+$/.test(entry))) return []
    return [readFileSync(join(folder, placeName), 'utf8').trimEnd()]
  })
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw error
  }
}
