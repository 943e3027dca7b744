import { hash } from 'node:crypto'
import { AnsweringThread } from '../base/answering-thread.ts'
import { workerUrl } from '../base/worker-url.ts'
import type { HashAnswer, HashRequest } from './hash-worker.ts'

/** Bytes given to it and not hashed yet, above which readers are made to wait: they are held for it beside the bound on memory. */
const largestBacklog = 16 << 20

/**
 * Above it the SHA-256 of a whole object is taken in the thread too. Measured with SHA instructions on two cores: 64 KiB take 34 µs in place, and 75 µs until
 * another thread has answered, of which 4 µs are ours; 256 KiB take 134 µs in place, and of the other thread's time 12 µs are ours.
 */
const inPlaceLimit = 128 << 10

/**
 * SHA-256 of long streams, and of what is not short, in a thread of its own, which is started when it is first needed. Hashing in place took 0.56 ms a MiB of the event loop, a third of what
 * a large object costs altogether.
 */
export class HashThread implements AsyncDisposable {
  readonly #thread = new AnsweringThread<HashRequest, HashAnswer>(
    workerUrl('./hash-worker', import.meta.url),
    (error) => {
      // The streams of a thread that is gone have lost what they had.
      this.#ended = error
      this.#firstAlive = this.#streams
    },
  )
  readonly #waiting: (() => void)[] = []
  #backlog = 0
  #streams = 0
  /** Streams before it belong to a thread that is gone. */
  #firstAlive = 0
  /** Why it is gone. */
  #ended: unknown

  newStream(): number {
    return this.#streams++
  }

  /** The SHA-256 of bytes that do not change until it is there. */
  async hash(bytes: Buffer): Promise<Buffer> {
    if (bytes.length <= inPlaceLimit) return hash('sha256', bytes, 'buffer')
    return Buffer.from((await this.#askWith('digest', this.newStream(), bytes)) as Uint8Array)
  }

  /** Resolves when the bytes are no longer needed. Those in shared memory are not copied, and must not change until then. */
  async update(stream: number, bytes: Uint8Array): Promise<void> {
    await this.#askWith('update', stream, bytes)
  }

  /** The SHA-256 of a stream, which ends it. */
  async digest(stream: number): Promise<Buffer> {
    return Buffer.from((await this.#ask({ stream, ask: 'digest' })) as Uint8Array)
  }

  /** Gives a stream up. */
  forget(stream: number): void {
    if (this.#thread.isStarted && stream >= this.#firstAlive)
      this.#ask({ stream, ask: 'forget' }).catch(() => {})
  }

  get isBehind(): boolean {
    return this.#backlog > largestBacklog
  }

  /** Resolves when it is no longer behind. */
  async caughtUp(): Promise<void> {
    while (this.isBehind) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** All that was asked and is asked from now on is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.end(new DOMException('the cache is closed', 'AbortError'))
    this.#firstAlive = Number.POSITIVE_INFINITY
  }

  #askWith(ask: HashRequest['ask'], stream: number, bytes: Uint8Array): Promise<HashAnswer> {
    const isShared = bytes.buffer instanceof SharedArrayBuffer
    const sent = isShared ? bytes : new Uint8Array(bytes)
    return this.#ask({ stream, ask, bytes: sent }, isShared ? [] : [sent.buffer as ArrayBuffer])
  }

  async #ask(request: HashRequest, transfer: ArrayBuffer[] = []): Promise<HashAnswer> {
    if (request.stream < this.#firstAlive) throw this.#ended
    const length = request.bytes?.length ?? 0
    this.#backlog += length
    try {
      return await this.#thread.ask(request, transfer)
    } finally {
      this.#backlog -= length
      this.#wake()
    }
  }

  #wake(): void {
    if (!this.isBehind) for (const wake of this.#waiting.splice(0)) wake()
  }
}
