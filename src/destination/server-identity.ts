import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../base/errors.ts'
import { makeFolder } from '../base/make-folder.ts'
import { systemReasonAt } from '../base/system-reason.ts'
import { DestinationError } from './errors.ts'
import type { Owner } from './owner-record.ts'

/**
 * Who this server is to others, from a file in its state folder that is made the first time. Whoever copies the folder to another server makes both of them one. `name`:
 * what it is called in its settings. Throws `bad-state`.
 */
export async function serverIdentity(stateFolder: string, name?: string): Promise<Owner> {
  const path = join(stateFolder, 'server-id')
  const id = (await readId(path)) ?? (await makeId(stateFolder, path))
  return { id, host: hostname(), name: name ?? hostname() }
}

async function readId(path: string): Promise<string | undefined> {
  try {
    const id = (await readFile(path, 'utf8')).trim()
    if (/^[0-9a-f-]{36}$/.test(id)) return id
    throw new DestinationError(
      'bad-state',
      `${path} does not hold the id of this server: remove it to become a new server`,
    )
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw stateError(error)
  }
}

/** Of several processes that come at once, one makes it. */
async function makeId(folder: string, path: string): Promise<string> {
  const temporary = `${path}.${process.pid}`
  try {
    makeFolder(folder)
    await writeFile(temporary, `${randomUUID()}\n`, { mode: 0o600, flush: true })
    await link(temporary, path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
  } catch (error) {
    throw stateError(error)
  } finally {
    await rm(temporary, { force: true }).catch(() => {})
  }
  return (await readId(path)) as string
}

function stateError(error: unknown): DestinationError {
  if (error instanceof DestinationError) return error
  return new DestinationError('bad-state', `the state folder cannot be used: ${systemReasonAt(error)}`, {
    cause: error,
  })
}
