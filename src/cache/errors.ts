import { JbfsError } from '../base/errors.ts'

/** `missing` the index names an object that is not in the store · `corrupt` its size or its SHA-256 is another. */
export const cacheErrorCodes = ['missing', 'corrupt'] as const
export type CacheErrorCode = (typeof cacheErrorCodes)[number]

export class CacheError extends JbfsError<CacheErrorCode> {
  override readonly name = 'CacheError'
}
