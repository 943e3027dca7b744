import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../base/errors.ts'

/** Of the state that a working snapshot was made of, or was published as last; empty where that had none. */
const keptName = 'manifest.json'
/** The manifest that is being put: after a crash it may, or may not, be in the store. */
const putName = 'manifest.put'

/** `bytes`: undefined, there is none. */
export function keepManifest(folder: string, bytes: Buffer | undefined): void {
  writeFileSync(join(folder, keptName), bytes ?? '', { mode: 0o600 })
}

export function keptManifest(folder: string): Buffer | undefined {
  const bytes = readIfThere(join(folder, keptName))
  return bytes?.length === 0 ? undefined : bytes
}

/** Takes down what is about to be put: resolves when that is on the disk. */
export async function notePut(folder: string, bytes: Buffer): Promise<void> {
  await writeFile(join(folder, putName), bytes, { mode: 0o600, flush: true })
}

/** undefined: what was put last is known to be in the store, or not to be there. */
export function notedPut(folder: string): Buffer | undefined {
  return readIfThere(join(folder, putName))
}

/** What was put is in the store. */
export function keepPut(folder: string): void {
  renameSync(join(folder, putName), join(folder, keptName))
}

/** What was to be put is not in the store. */
export function forgetPut(folder: string): void {
  rmSync(join(folder, putName), { force: true })
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
