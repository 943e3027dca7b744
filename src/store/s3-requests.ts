import type { SecureContext } from 'node:tls'
import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3'
import { type Abortable, orAborted } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { bucketOf, createClient } from './s3-client.ts'
import type { S3StoreOptions } from './s3-options.ts'
import { routeOf, type S3Route } from './s3-route.ts'
import { isSafeLine } from './safe-line.ts'
import type { Credentials } from './sign-request.ts'

/** Milliseconds for the one request that may take long: a server that keeps objects as files joins gigabytes of parts before it answers. */
const completionTimeout = 600_000

export interface SendOptions extends Abortable {
  /**
   * How long an answer may take. `silence`: counted from the end of the body, and of the silences in it, as a slow line is no fault.
   * `long`: long enough for a server to copy an object together.
   */
  readonly patience?: 'silence' | 'long' | undefined
}

/**
 * What is asked of a server by way of the SDK, so many requests at a time. A request that waits for its turn has not begun: none of its
 * timeouts runs, and it is signed only then.
 */
export class S3Requests implements Disposable {
  readonly #options: S3StoreOptions
  readonly #trust: SecureContext | undefined
  readonly #client: S3Client
  #patient: S3Client | undefined
  /** For each request that is not for an object to be got whole or by ranges. */
  readonly places: Semaphore
  #route: Promise<S3Route> | undefined
  #server: string

  constructor(options: S3StoreOptions, trust: SecureContext | undefined) {
    this.#options = options
    this.#trust = trust
    this.#client = createClient(options, trust)
    this.places = new Semaphore(options.maxConnections)
    this.#server = options.endpoint === undefined ? 'the S3 server' : new URL(options.endpoint).host
  }

  /** For messages: host, with the port where it is not the usual one. */
  get server(): string {
    return this.#server
  }

  /** Where all requests go. */
  route(): Promise<S3Route> {
    this.#route ??= this.#findRoute()
    return this.#route
  }

  /** As `isSafeLine` has it. */
  async isSafeLine(): Promise<boolean> {
    return isSafeLine(await this.route(), this.#options)
  }

  credentials(): Promise<Credentials> {
    return this.#client.config.credentials()
  }

  /** Rejects with what the SDK throws, or the signal's reason while it waits. The body of an answer may still be under way. */
  async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: $Command<Input, Output, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes>,
    { signal, patience }: SendOptions = {},
  ): Promise<Output> {
    await orAborted(this.route(), signal)
    using _place = await this.places.acquire({ signal })
    const client = patience === 'long' ? this.#patientClient() : this.#client
    return await client.send(command, {
      ...(signal !== undefined && { abortSignal: signal }),
      ...(patience === 'silence' && { requestTimeout: 0 }),
    })
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
    this.#patient?.destroy()
  }

  async #findRoute(): Promise<S3Route> {
    try {
      const route = await routeOf(this.#client, bucketOf(this.#options))
      this.#server = route.server
      return route
    } catch (error) {
      // Keys may be found the next time.
      this.#route = undefined
      throw error
    }
  }

  #patientClient(): S3Client {
    this.#patient ??= createClient({ ...this.#options, responseTimeout: completionTimeout }, this.#trust)
    return this.#patient
  }
}
