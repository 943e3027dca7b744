import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { type Abortable, orAborted } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { readSource } from './file-source.ts'
import type { FileSource, PutBody, PutOptions } from './object-store.ts'
import type { S3StoreOptions } from './s3-options.ts'
import type { S3Requests } from './s3-requests.ts'
import { retrying } from './with-retry.ts'

/** Objects above it go up in parts of this size. */
const multipartThreshold = 16 << 20
/** S3's limits: at most 10,000 parts, each but the last at least 5 MiB. */
const largestPartCount = 10_000
const partConcurrency = 4
/** Of parts in memory: those of the very largest objects are large themselves. */
const partMemory = 256 << 20
/** Milliseconds that whoever aborts a put waits for its remains to go; a server that hangs must not hold up a Ctrl-C. */
const longestCleanup = 1000

export interface UploadTarget {
  readonly Bucket: string
  readonly Key: string
}

export interface UploadWay {
  readonly requests: S3Requests
  readonly partRetry: S3StoreOptions['partRetry']
  /** Whatever a request failed with, as a `StoreError` or the signal's reason. */
  readonly failed: (error: unknown) => unknown
}

/** Stores all bytes of `body` or nothing; resolves with the etag. Rejects with `way.failed`'s answer. */
export async function upload(
  way: UploadWay,
  target: UploadTarget,
  body: PutBody,
  options: PutOptions,
): Promise<string> {
  const size = sizeOf(body)
  if (size > multipartThreshold) return uploadParts(way, target, body, size, options)
  const { signal } = options
  const bytes = Buffer.isBuffer(body) ? body : await readAll(body, size, signal)
  try {
    const output = await way.requests.send(
      new PutObjectCommand({ ...target, Body: bytes, ...conditionsOf(options) }),
      { patience: 'silence', signal },
    )
    return output.ETag ?? ''
  } catch (error) {
    throw way.failed(error)
  }
}

export function sizeOf(body: PutBody): number {
  return Buffer.isBuffer(body) ? body.length : body.ranges.reduce((sum, { length }) => sum + length, 0)
}

async function uploadParts(
  way: UploadWay,
  target: UploadTarget,
  body: PutBody,
  size: number,
  options: PutOptions,
): Promise<string> {
  const { requests, failed } = way
  const { signal } = options
  const created = requests
    .send(new CreateMultipartUploadCommand(target))
    .then(({ UploadId }) => ({ ...target, UploadId }))
  // Parts that nobody completes are stored, and paid for, until they are aborted.
  const giveUp = async (): Promise<void> => {
    await created.then((begun) => requests.send(new AbortMultipartUploadCommand(begun))).catch(() => {})
  }
  try {
    const begun = await orAborted(created, signal)
    const parts = await sendParts(way, begun, body, size, options)
    const output = await requests.send(
      new CompleteMultipartUploadCommand({
        ...begun,
        MultipartUpload: { Parts: parts },
        ...conditionsOf(options),
      }),
      { patience: 'long', signal },
    )
    return output.ETag ?? ''
  } catch (error) {
    const patience = signal?.aborted ? AbortSignal.timeout(longestCleanup) : undefined
    await orAborted(giveUp(), patience).catch(() => {})
    throw failed(error)
  }
}

/** A part that fails is sent again by itself: the rest of a large object need not go up once more. */
async function sendParts(
  { requests, partRetry, failed }: UploadWay,
  begun: UploadTarget & { readonly UploadId: string | undefined },
  body: PutBody,
  size: number,
  { signal }: Abortable,
): Promise<{ ETag: string | undefined; PartNumber: number }[]> {
  const partSize = Math.max(multipartThreshold, Math.ceil(size / largestPartCount))
  const places = new Semaphore(Math.max(1, Math.min(partConcurrency, Math.floor(partMemory / partSize))))
  const failure = new AbortController()
  const onAbort = (): void => failure.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const parts: Promise<{ ETag: string | undefined; PartNumber: number }>[] = []
  const send = async (bytes: Buffer, PartNumber: number, place: Disposable) => {
    using _place = place
    const { ETag } = await retrying(
      () =>
        requests
          .send(new UploadPartCommand({ ...begun, PartNumber, Body: bytes }), {
            patience: 'silence',
            signal: failure.signal,
          })
          .catch((error: unknown) => {
            // The whole upload may go well another time, but none of its parts.
            if ((error as Error).name === 'NoSuchUpload') failure.abort(failed(error))
            throw failed(error)
          }),
      { ...partRetry, signal: failure.signal },
    )
    return { ETag, PartNumber }
  }
  try {
    signal?.throwIfAborted()
    for await (const bytes of partsOf(body, partSize, failure.signal)) {
      const place = await places.acquire({ signal: failure.signal })
      const part = send(bytes, parts.length + 1, place)
      part.catch((error: unknown) => failure.abort(error))
      parts.push(part)
    }
    return await Promise.all(parts)
  } catch (error) {
    failure.abort(error)
    // A part that arrives behind the end of the upload would be kept.
    await Promise.allSettled(parts)
    throw failure.signal.reason
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

function conditionsOf({ ifNoneMatch, ifMatch }: PutOptions): { IfNoneMatch?: string; IfMatch?: string } {
  return {
    ...(ifNoneMatch !== undefined && { IfNoneMatch: ifNoneMatch }),
    ...(ifMatch !== undefined && { IfMatch: ifMatch }),
  }
}

async function readAll(source: FileSource, size: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size)
  let filled = 0
  for await (const piece of readSource(source, signal)) filled += piece.copy(bytes, filled)
  return bytes
}

/** Parts of `partSize` bytes, the last one shorter; each is the caller's to keep. */
async function* partsOf(body: PutBody, partSize: number, signal: AbortSignal): AsyncIterable<Buffer> {
  if (Buffer.isBuffer(body)) {
    for (let at = 0; at < body.length; at += partSize) yield body.subarray(at, at + partSize)
    return
  }
  let part = Buffer.allocUnsafeSlow(partSize)
  let filled = 0
  for await (const piece of readSource(body, signal)) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(part, filled, at)
      at += copied
      filled += copied
      if (filled < partSize) continue
      yield part
      part = Buffer.allocUnsafeSlow(partSize)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}
