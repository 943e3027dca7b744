import {
  type $Command,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3ClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
  type TransitionDefaultMinimumObjectSize,
} from '@aws-sdk/client-s3'
import type { Abortable } from '../base/abort.ts'
import { type Advise, StoreError } from './errors.ts'
import { recordAnswer, ruleElements, sendElements } from './lifecycle-xml.ts'
import { listedKey } from './listed-key.ts'
import { bucketOf } from './s3-client.ts'
import { isUnknownRequest, type S3Place, s3Error } from './s3-errors.ts'
import type { S3StoreOptions } from './s3-options.ts'
import { S3Requests } from './s3-requests.ts'
import { trustOf } from './s3-trust.ts'
import { type RetryOptions, retrying } from './with-retry.ts'

/** As in S3's own API. */
export type { LifecycleRule }

export type BucketVersioning = 'enabled' | 'suspended' | 'never'

export interface BucketRule {
  readonly rule: LifecycleRule
  /** The same as the server wrote it, in XML. */
  readonly element: string
}

export interface BucketLifecycle {
  readonly rules: readonly BucketRule[]
  /** Of Amazon: which small objects rules leave where they are. A put without it resets it. */
  readonly transitionMinimum: TransitionDefaultMinimumObjectSize | undefined
  /** What the server calls itself; '' when it does not. */
  readonly server: string
}

export interface LifecycleChange {
  readonly kept: readonly BucketRule[]
  readonly added: readonly LifecycleRule[]
  readonly transitionMinimum: BucketLifecycle['transitionMinimum']
}

/** Where the next page of a listing begins. */
export interface BucketMarker {
  readonly key: string
  /** Of the version, or of the upload. */
  readonly id: string
}

export interface BucketPageOptions extends Abortable {
  /** Of whole keys, in the bucket. */
  readonly prefix: string
  /** `next` of the page before. */
  readonly after?: BucketMarker | undefined
}

export interface VersionsPage {
  /** Versions and delete markers, current ones too. */
  readonly entries: number
  readonly noncurrentVersions: number
  readonly noncurrentBytes: number
  readonly deleteMarkers: number
  /** undefined: this is the last page. */
  readonly next: BucketMarker | undefined
}

export interface IncompleteUpload {
  readonly key: string
  readonly id: string
  /** Milliseconds since the epoch; undefined when the server does not say. */
  readonly initiated: number | undefined
}

export interface UploadsPage {
  readonly uploads: readonly IncompleteUpload[]
  /** undefined: this is the last page. */
  readonly next: BucketMarker | undefined
}

/**
 * What can be asked of a bucket as a whole. All reject with `StoreError`, and all resolve with undefined when the server does not have this kind
 * of request. Tried again as often as the options of the bucket say.
 */
export interface BucketReader extends Disposable {
  /** For messages: `s3://bucket/path`. */
  readonly description: string
  /** GetBucketVersioning */
  versioning(options?: Abortable): Promise<BucketVersioning | undefined>
  /** GetBucketLifecycleConfiguration; no rules when the bucket has no configuration. */
  lifecycle(options?: Abortable): Promise<BucketLifecycle | undefined>
  /** ListObjectVersions, a page of it. */
  versions(options: BucketPageOptions): Promise<VersionsPage | undefined>
  /** ListMultipartUploads, a page of it. */
  uploads(options: BucketPageOptions): Promise<UploadsPage | undefined>
  /** ListParts: bytes that are there already; undefined also for an upload that has ended meanwhile. */
  uploadedBytes(upload: IncompleteUpload, options?: Abortable): Promise<number | undefined>
}

/** An S3 bucket as those who administer it see it. */
export class S3Bucket implements BucketReader {
  readonly description: string
  readonly #bucket: string
  readonly #requests: S3Requests
  readonly #retry: RetryOptions
  readonly #advise: Advise | undefined

  constructor(options: S3StoreOptions, retry: RetryOptions) {
    this.description = `s3://${options.bucket}/${options.prefix}`.replace(/\/$/, '')
    this.#bucket = bucketOf(options)
    this.#requests = new S3Requests(options, trustOf(options))
    this.#retry = retry
    this.#advise = options.advise
  }

  async versioning(options?: Abortable): Promise<BucketVersioning | undefined> {
    const command = new GetBucketVersioningCommand({ Bucket: this.#bucket })
    const output = await this.#ask(command, 'its versioning', options)
    if (output === undefined) return undefined
    return output.Status === 'Enabled' ? 'enabled' : output.Status === 'Suspended' ? 'suspended' : 'never'
  }

  async lifecycle(options?: Abortable): Promise<BucketLifecycle | undefined> {
    const what = 'its lifecycle rules'
    const command = new GetBucketLifecycleConfigurationCommand({ Bucket: this.#bucket })
    const raw = recordAnswer(command)
    const output = await this.#ask(command, what, options, { NoSuchLifecycleConfiguration: {} })
    if (output === undefined) return undefined
    const { Rules = [], TransitionDefaultMinimumObjectSize: transitionMinimum } = output
    const elements = ruleElements(raw.text)
    // A put would lose those that are not seen.
    if (elements?.length !== Rules.length)
      throw new StoreError(
        'invalid',
        `${this.description}: ${what}: the server writes them in an unusual way`,
      )
    const rules = Rules.map((rule, index) => ({ rule, element: elements[index] as string }))
    return { rules, transitionMinimum, server: raw.server }
  }

  /** PutBucketLifecycleConfiguration, which replaces all rules there are. False when the server does not have this kind of request. */
  async setLifecycle(
    { kept, added, transitionMinimum }: LifecycleChange,
    options?: Abortable,
  ): Promise<boolean> {
    const command = new PutBucketLifecycleConfigurationCommand({
      Bucket: this.#bucket,
      LifecycleConfiguration: { Rules: [...added] },
      ...(transitionMinimum !== undefined && { TransitionDefaultMinimumObjectSize: transitionMinimum }),
    })
    sendElements(
      command,
      kept.map(({ element }) => element),
    )
    return (await this.#ask(command, 'setting its lifecycle rules', options)) !== undefined
  }

  async versions({ prefix, after, signal }: BucketPageOptions): Promise<VersionsPage | undefined> {
    const what = 'its noncurrent versions'
    const command = new ListObjectVersionsCommand({
      Bucket: this.#bucket,
      Prefix: prefix,
      EncodingType: 'url',
      ...(after && { KeyMarker: after.key, VersionIdMarker: after.id }),
    })
    const output = await this.#ask(command, what, { signal })
    if (output === undefined) return undefined
    const { Versions = [], DeleteMarkers = [], NextVersionIdMarker } = output
    const noncurrent = Versions.filter(({ IsLatest }) => !IsLatest)
    return {
      entries: Versions.length + DeleteMarkers.length,
      noncurrentVersions: noncurrent.length,
      noncurrentBytes: noncurrent.reduce((sum, { Size = 0 }) => sum + Size, 0),
      deleteMarkers: DeleteMarkers.length,
      next: this.#next({ ...output, NextIdMarker: NextVersionIdMarker }, after, what),
    }
  }

  async uploads({ prefix, after, signal }: BucketPageOptions): Promise<UploadsPage | undefined> {
    const what = 'its incomplete uploads'
    const command = new ListMultipartUploadsCommand({
      Bucket: this.#bucket,
      Prefix: prefix,
      EncodingType: 'url',
      ...(after && { KeyMarker: after.key, UploadIdMarker: after.id }),
    })
    const output = await this.#ask(command, what, { signal })
    if (output === undefined) return undefined
    const { Uploads = [], EncodingType, NextUploadIdMarker } = output
    return {
      uploads: Uploads.flatMap(({ Key = '', UploadId = '', Initiated }) => {
        const key = listedKey(Key, EncodingType)
        return key === undefined ? [] : [{ key, id: UploadId, initiated: Initiated?.getTime() }]
      }),
      next: this.#next({ ...output, NextIdMarker: NextUploadIdMarker }, after, what),
    }
  }

  async uploadedBytes({ key, id }: IncompleteUpload, options?: Abortable): Promise<number | undefined> {
    const place = { Bucket: this.#bucket, Key: key, UploadId: id }
    let bytes = 0
    let after: string | undefined
    do {
      const command = new ListPartsCommand({
        ...place,
        ...(after !== undefined && { PartNumberMarker: after }),
      })
      const output = await this.#ask(command, key, options, { NoSuchUpload: undefined })
      if (output === undefined) return undefined
      bytes += (output.Parts ?? []).reduce((sum, { Size = 0 }) => sum + Size, 0)
      if (output.IsTruncated && output.NextPartNumberMarker === after) throw this.#endless(key)
      after = output.IsTruncated ? output.NextPartNumberMarker : undefined
    } while (after !== undefined)
    return bytes
  }

  /** Closes all connections; what is under way fails. */
  [Symbol.dispose](): void {
    this.#requests[Symbol.dispose]()
  }

  /** Errors of the names in `expected` are answers. undefined: the server does not have this kind of request. */
  async #ask<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: $Command<Input, Output, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes>,
    what: string,
    { signal }: Abortable = {},
    expected: Readonly<Record<string, Partial<Output> | undefined>> = {},
  ): Promise<Partial<Output> | undefined> {
    const once = async (): Promise<Partial<Output> | undefined> => {
      try {
        return await this.#requests.send(command, { signal })
      } catch (error) {
        signal?.throwIfAborted()
        const { name } = error as Error
        if (Object.hasOwn(expected, name)) return expected[name]
        if (isUnknownRequest(error)) return undefined
        throw s3Error(error, this.#place(), what)
      }
    }
    return await retrying(once, { ...this.#retry, signal })
  }

  #place(): S3Place {
    return { store: this.description, server: this.#requests.server, advise: this.#advise }
  }

  #next(
    output: {
      IsTruncated?: boolean | undefined
      EncodingType?: string | undefined
      NextKeyMarker?: string | undefined
      NextIdMarker?: string | undefined
    },
    after: BucketMarker | undefined,
    what: string,
  ): BucketMarker | undefined {
    const { IsTruncated, EncodingType, NextKeyMarker = '', NextIdMarker: id = '' } = output
    if (!IsTruncated) return undefined
    const key = listedKey(NextKeyMarker, EncodingType)
    // One that begins with the same page again would never end.
    if (key === undefined || (key === (after?.key ?? '') && id === (after?.id ?? '')))
      throw this.#endless(what)
    return { key, id }
  }

  #endless(what: string): StoreError {
    return new StoreError(
      'invalid',
      `${this.description}: ${what}: the server does not say how a listing goes on`,
    )
  }
}
