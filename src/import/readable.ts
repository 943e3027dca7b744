import { codeOf } from '../base/errors.ts'
import { systemReason } from '../base/system-reason.ts'
import { ImportError } from './errors.ts'

/** A backup with something missing would be worse than none: what cannot be read at `at` ends the import, with `bad-source`. */
export async function readable<T>(at: Buffer, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ImportError || codeOf(error) === 'no-koffi') throw error
    throw new ImportError('bad-source', `${String(at)} cannot be read: ${systemReason(error)}`, {
      cause: error,
    })
  }
}
