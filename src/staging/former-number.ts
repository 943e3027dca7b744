import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../base/errors.ts'

/** What a snapshot that has another number now was published as before, and is to be found under no more. */
export interface FormerNumber {
  readonly number: number
  /** Of its manifest there: another state is somebody else's. */
  readonly etag: string
}

const fileName = 'former.json'

/** Takes down, before the number changes, what is to be deleted then: a crash in between must not leave a snapshot under both. */
export function noteFormer(folder: string, former: FormerNumber): void {
  writeFileSync(join(folder, fileName), JSON.stringify(former), { mode: 0o600, flush: true })
}

/** What is still to be deleted of the snapshot `number` in its folder; undefined: nothing, or it never got its new number. */
export function formerIn(folder: string, number: number): FormerNumber | undefined {
  try {
    const former: FormerNumber = JSON.parse(readFileSync(join(folder, fileName), 'utf8'))
    return former.number === number ? undefined : former
  } catch (error) {
    // Half of it: then the number had not changed yet.
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

export function forgetFormer(folder: string): void {
  rmSync(join(folder, fileName), { force: true })
}
