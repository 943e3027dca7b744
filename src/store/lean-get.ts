import { orAborted } from '../base/abort.ts'
import { type LeanAnswer, LeanConnection, type LeanServer, NotPlain } from './lean-connection.ts'
import { type Credentials, encodeKey, GetSigner } from './sign-get.ts'

export interface LeanGetOptions extends LeanServer {
  readonly region: string
  /** Of the `Host` header: with the port where it is not the usual one. */
  readonly hostHeader: string
  /** Before the key; begins and ends in a slash. */
  readonly basePath: string
  readonly credentials: () => Promise<Credentials>
}

/** Idle connections that are kept. */
const largestPool = 128

/**
 * GetObject without the SDK's machinery, which costs several times the CPU of the request itself and, on a machine with two cores, most
 * of the rate of small files. What is not plain (`NotPlain`: errors, redirects, chunked answers) is left to the SDK.
 */
export class LeanGet {
  readonly #options: LeanGetOptions
  readonly #signer: GetSigner
  readonly #idle: LeanConnection[] = []

  constructor(options: LeanGetOptions) {
    this.#options = options
    this.#signer = new GetSigner(options.region)
  }

  /** Rejects with `NotPlain`, an error of the network, or the signal's reason. `headers` have lower-case names. */
  async get(
    key: string,
    headers: Readonly<Record<string, string>>,
    { into, signal }: { readonly into?: Buffer | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<LeanAnswer> {
    signal?.throwIfAborted()
    const path = this.#options.basePath + encodeKey(key)
    const credentials = await this.#options.credentials()
    const signed = this.#signer.sign(credentials, this.#options.hostHeader, path, headers)
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`)
    // Some servers close the connection unless they are asked not to, though HTTP/1.1 keeps it.
    const head = `GET ${path} HTTP/1.1\r\nconnection: keep-alive\r\n${lines.join('')}\r\n`
    for (;;) {
      const connection = this.#take()
      const mayBeStale = !connection.isFresh
      try {
        // An abort leaves the answer on its way: the connection is closed below.
        const answer = await orAborted(connection.request(head, into), signal)
        if (connection.usable && this.#idle.length < largestPool) this.#idle.push(connection)
        return answer
      } catch (error) {
        connection.destroy()
        // The server had closed it while it was idle: another one, until one is new.
        const isStale = mayBeStale && !connection.hasBegun && !(error instanceof NotPlain)
        if (!isStale || signal?.aborted) throw error
      }
    }
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  #take(): LeanConnection {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop())
      if (kept.usable) return kept
    return new LeanConnection(this.#options)
  }
}
