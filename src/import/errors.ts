import { JbfsError } from '../base/errors.ts'

/**
 * `bad-source` what is to be imported is not there, or is nothing that can be imported · `source-changed` a file went on changing while
 * it was read · `foreign-repository` the repository holds snapshots that jbfs did not write · `no-temporary-folder` there is no place for what is put
 * together.
 */
export type ImportErrorCode = 'bad-source' | 'source-changed' | 'foreign-repository' | 'no-temporary-folder'

export class ImportError extends JbfsError<ImportErrorCode> {
  override readonly name = 'ImportError'
}
