import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { type Abortable, orAborted } from '../base/abort.ts'
import type { UploadPart } from './object-store.ts'
import { payloadHash } from './payload-hash.ts'
import type { S3Requests } from './s3-requests.ts'
import { unsignedPayload } from './sign-request.ts'

/**
 * The requests of a multipart upload, as S3 has them. All reject with what the SDK throws, or the signal's reason.
 */

type Sender = Pick<S3Requests, 'send'>
export type PartSender = Pick<S3Requests, 'send' | 'isSafeLine'>

export interface UploadTarget {
  readonly Bucket: string
  readonly Key: string
}

export interface BegunUpload extends UploadTarget {
  readonly UploadId: string
}

/** If-None-Match and If-Match of the object that comes of it. */
export interface Conditions {
  readonly IfNoneMatch?: string
  readonly IfMatch?: string
}

export async function beginUpload(
  requests: Sender,
  target: UploadTarget,
  { signal }: Abortable = {},
): Promise<BegunUpload> {
  const { UploadId } = await requests.send(new CreateMultipartUploadCommand(target), { signal })
  if (UploadId === undefined) throw new Error('the server gave the upload no id')
  return { ...target, UploadId }
}

/** Resolves with the part's etag. */
export async function sendPart(
  requests: PartSender,
  begun: BegunUpload,
  { number, bytes, sha256 }: Omit<UploadPart, 'offset'>,
  { signal }: Abortable,
): Promise<string> {
  const command = new UploadPartCommand({ ...begun, PartNumber: number, Body: bytes })
  const payload = (await orAborted(requests.isSafeLine(), signal)) ? unsignedPayload : await sha256?.()
  command.middlewareStack.add(payloadHash(payload), { step: 'build' })
  const { ETag } = await requests.send(command, { patience: 'silence', signal })
  return ETag ?? ''
}

/** Resolves with the object's etag. `etags`: of all parts, in their order. */
export async function completeUpload(
  requests: Sender,
  begun: BegunUpload,
  etags: readonly string[],
  { signal, ...conditions }: Abortable & Conditions,
): Promise<string> {
  const Parts = etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
  const command = new CompleteMultipartUploadCommand({ ...begun, MultipartUpload: { Parts }, ...conditions })
  const { ETag } = await requests.send(command, { patience: 'long', signal })
  return ETag ?? ''
}

export async function abandonUpload(
  requests: Sender,
  begun: BegunUpload,
  { signal }: Abortable = {},
): Promise<void> {
  await requests.send(new AbortMultipartUploadCommand(begun), { signal })
}

export function isUploadMissing(error: unknown): boolean {
  return (error as Error).name === 'NoSuchUpload'
}
