import { JbfsError } from '../base/errors.ts'

/**
 * Why what something else wrote cannot be used: `bad-database` it is no SQLite database, or a damaged one · `bad-query` the SQL cannot be run on it, or is not
 * allowed · `query-limit` a query takes too long, or too much memory, or gives too many rows · `bad-packing` its compressed bytes are damaged ·
 * `unpack-limit` they unpack to more than is allowed · `no-unpacker` the program that unpacks them is not installed.
 */
export const foreignErrorCodes = [
  'bad-database',
  'bad-query',
  'query-limit',
  'bad-packing',
  'unpack-limit',
  'no-unpacker',
] as const
export type ForeignErrorCode = (typeof foreignErrorCodes)[number]

export class ForeignError extends JbfsError<ForeignErrorCode> {
  override readonly name = 'ForeignError'
}
