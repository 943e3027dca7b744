import { PutObjectCommand } from '@aws-sdk/client-s3'
import { type Abortable, orAborted } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { readSource } from './file-source.ts'
import type { LeanClient } from './lean-client.ts'
import { NotPlain } from './lean-connection.ts'
import { type FileSource, largestPartCount, type PutBody, type PutOptions } from './object-store.ts'
import { payloadHash } from './payload-hash.ts'
import type { S3StoreOptions } from './s3-options.ts'
import {
  abandonUpload,
  type BegunUpload,
  beginUpload,
  type Conditions,
  completeUpload,
  isUploadMissing,
  type PartSender,
  sendPart,
  type UploadTarget,
} from './s3-parts.ts'
import { retrying } from './with-retry.ts'

/** Objects above it go up in parts of this size. */
const multipartThreshold = 16 << 20
const partConcurrency = 4
/**
 * Bytes of a store's uploads that are in memory at a time, however many they are: an import has 32, whose parts would take 2 GiB. Sixteen parts keep any
 * line busy. Those of the very largest objects are larger than that: one at a time then.
 */
export const uploadMemory = 256 << 20
/** Milliseconds that whoever aborts a put waits for its remains to go; a server that hangs must not hold up a Ctrl-C. */
const longestCleanup = 1000

export interface UploadWay {
  readonly requests: PartSender
  /** undefined: there is only the ordinary way. */
  readonly lean: Pick<LeanClient, 'put'> | undefined
  /**
   * A place for each byte that is in memory; shared by all uploads of a store. Who holds places waits for nothing but its own request to end, and so gives
   * them back: uploads cannot wait for each other in a circle.
   */
  readonly memory: Semaphore
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
  // A buffer is the caller's, who bounds how many there are.
  using _room = Buffer.isBuffer(body) ? undefined : await way.memory.acquire({ signal, weight: size })
  const bytes = Buffer.isBuffer(body) ? body : await readAll(body, size, signal)
  try {
    return (await putLean(way, target, bytes, options)) ?? (await putOrdinary(way, target, bytes, options))
  } catch (error) {
    throw way.failed(error)
  }
}

/** undefined: it is to go the ordinary way, as what is bound to conditions does, whose refusals are many. */
async function putLean(
  { lean }: UploadWay,
  { Key }: UploadTarget,
  bytes: Buffer,
  { sha256, ifNoneMatch, ifMatch, signal }: PutOptions,
): Promise<string | undefined> {
  if (lean === undefined || sha256 === undefined || ifNoneMatch !== undefined || ifMatch !== undefined)
    return undefined
  try {
    const { headers } = await lean.put(Key, bytes, { sha256, signal })
    return headers.get('etag') ?? ''
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

async function putOrdinary(
  { requests }: UploadWay,
  target: UploadTarget,
  bytes: Buffer,
  options: PutOptions,
): Promise<string> {
  const command = new PutObjectCommand({ ...target, Body: bytes, ...conditionsOf(options) })
  command.middlewareStack.add(payloadHash(options.sha256), { step: 'build' })
  const { ETag } = await requests.send(command, { patience: 'silence', signal: options.signal })
  return ETag ?? ''
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
  const created = beginUpload(requests, target)
  // Parts that nobody completes are stored, and paid for, until they are aborted.
  const giveUp = async (): Promise<void> => {
    await created.then((begun) => abandonUpload(requests, begun)).catch(() => {})
  }
  try {
    const begun = await orAborted(created, signal)
    const etags = await sendParts(way, begun, body, size, options)
    return await completeUpload(requests, begun, etags, { ...conditionsOf(options), signal })
  } catch (error) {
    const patience = signal?.aborted ? AbortSignal.timeout(longestCleanup) : undefined
    await orAborted(giveUp(), patience).catch(() => {})
    throw failed(error)
  }
}

/** A part that fails is sent again by itself: the rest of a large object need not go up once more. */
async function sendParts(
  { requests, memory, partRetry, failed }: UploadWay,
  begun: BegunUpload,
  body: PutBody,
  size: number,
  { signal }: Abortable,
): Promise<string[]> {
  const partSize = Math.max(multipartThreshold, Math.ceil(size / largestPartCount))
  const places = new Semaphore(partConcurrency)
  const failure = new AbortController()
  const onAbort = (): void => failure.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const parts: Promise<string>[] = []
  const roomFor = async (weight: number): Promise<Disposable> => {
    using held = new DisposableStack()
    held.use(await places.acquire({ signal: failure.signal }))
    held.use(await memory.acquire({ signal: failure.signal, weight }))
    return held.move()
  }
  const send = async ({ bytes, room }: Part, number: number): Promise<string> => {
    using _room = room
    return await retrying(
      () =>
        sendPart(requests, begun, { number, bytes }, { signal: failure.signal }).catch((error: unknown) => {
          // The whole upload may go well another time, but none of its parts.
          if (isUploadMissing(error)) failure.abort(failed(error))
          throw failed(error)
        }),
      { ...partRetry, signal: failure.signal },
    )
  }
  try {
    signal?.throwIfAborted()
    for await (const part of partsOf(body, { size, partSize, roomFor, signal: failure.signal })) {
      const sent = send(part, parts.length + 1)
      sent.catch((error: unknown) => failure.abort(error))
      parts.push(sent)
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

function conditionsOf({ ifNoneMatch, ifMatch }: PutOptions): Conditions {
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

interface Part {
  readonly bytes: Buffer
  /** Whoever gets the part disposes of it when the bytes are no longer needed. */
  readonly room: Disposable
}

interface Cut {
  /** Of all of the body. */
  readonly size: number
  readonly partSize: number
  /** Resolves when so many bytes may be in memory. */
  readonly roomFor: (bytes: number) => Promise<Disposable>
  readonly signal: AbortSignal
}

/** Parts of `partSize` bytes, the last one shorter. There is room for a part before any of it is read. */
async function* partsOf(body: PutBody, { size, partSize, roomFor, signal }: Cut): AsyncIterable<Part> {
  if (Buffer.isBuffer(body)) {
    for (let at = 0; at < size; at += partSize) {
      const bytes = body.subarray(at, at + partSize)
      yield { bytes, room: await roomFor(bytes.length) }
    }
    return
  }
  let left = size
  let filling: Part | undefined
  let filled = 0
  try {
    for await (const piece of readSource(body, signal))
      for (let at = 0; at < piece.length; ) {
        filling ??= await emptyPart(Math.min(partSize, left), roomFor)
        const copied = piece.copy(filling.bytes, filled, at)
        at += copied
        filled += copied
        if (filled < filling.bytes.length) continue
        const part = filling
        left -= filled
        filling = undefined
        filled = 0
        yield part
      }
  } finally {
    filling?.room[Symbol.dispose]()
  }
}

async function emptyPart(size: number, roomFor: Cut['roomFor']): Promise<Part> {
  const room = await roomFor(size)
  return { bytes: Buffer.allocUnsafeSlow(size), room }
}
