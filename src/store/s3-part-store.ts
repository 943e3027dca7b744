import type { Abortable } from '../base/abort.ts'
import { StoreError } from './errors.ts'
import type { ObjectKey, ObjectMetadata, PartStore, UploadToken } from './object-store.ts'
import {
  abandonUpload,
  type BegunUpload,
  beginUpload,
  completeUpload,
  isUploadMissing,
  type PartSender,
  sendPart,
  type UploadTarget,
} from './s3-parts.ts'

export interface S3PartStoreOptions {
  /** Of the store, for messages. */
  readonly description: string
  readonly requests: PartSender
  readonly at: (key: ObjectKey) => UploadTarget
  readonly head: (key: ObjectKey, options: Abortable) => Promise<ObjectMetadata | undefined>
  /** Whatever a request failed with, as a `StoreError` or the signal's reason. */
  readonly failed: (error: unknown, key: ObjectKey, signal: AbortSignal | undefined) => unknown
}

/** Multipart uploads of a bucket; the token is S3's UploadId. */
export function s3PartStore({ description, requests, at, head, failed }: S3PartStoreOptions): PartStore {
  const begunAt = (key: ObjectKey, UploadId: UploadToken): BegunUpload => ({ ...at(key), UploadId })
  const asked = async <T>(
    key: ObjectKey,
    signal: AbortSignal | undefined,
    request: () => Promise<T>,
  ): Promise<T> => {
    try {
      return await request()
    } catch (error) {
      if (isUploadMissing(error) && !signal?.aborted)
        throw new StoreError('changed', `${description}: ${key}: its parts are gone`, { cause: error })
      throw failed(error, key, signal)
    }
  }
  return {
    begin: (key, { signal } = {}) =>
      asked(
        key,
        signal,
        async () => (await beginUpload(requests, at(key), { signal })).UploadId as UploadToken,
      ),
    put: (key, upload, part, { signal } = {}) =>
      asked(key, signal, () => sendPart(requests, begunAt(key, upload), part, { signal })),
    complete: (key, upload, parts, { size, signal }) =>
      asked(key, signal, async () => {
        try {
          const etag = await completeUpload(requests, begunAt(key, upload), parts, { signal })
          return { key, size, etag, modified: Date.now() }
        } catch (error) {
          // It may have been done, and only its answer been lost.
          const there = isUploadMissing(error) ? await head(key, { signal }) : undefined
          if (there?.size !== size) throw error
          return there
        }
      }),
    abandon: (key, upload, { signal } = {}) =>
      asked(key, signal, async () => {
        try {
          await abandonUpload(requests, begunAt(key, upload), { signal })
        } catch (error) {
          if (!isUploadMissing(error)) throw error
        }
      }),
  }
}
