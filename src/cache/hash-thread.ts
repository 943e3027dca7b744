import { hash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { workerUrl } from '../base/worker-url.ts'
import type { HashAnswer, HashRequest } from './hash-worker.ts'

/** Bytes given to it and not hashed yet, above which readers are made to wait: they are held for it beside the bound on memory. */
const largestBacklog = 16 << 20

/**
 * Above it the SHA-256 of a whole object is taken in the thread too. Measured with SHA instructions on two cores: 64 KiB take 34 µs in place, and 75 µs until
 * another thread has answered, of which 4 µs are ours; 256 KiB take 134 µs in place, and of the other thread's time 12 µs are ours.
 */
const inPlaceLimit = 128 << 10

interface Asked {
  readonly length: number
  readonly resolve: (answer: HashAnswer) => void
  readonly reject: (error: unknown) => void
}

/**
 * SHA-256 of long streams, and of what is not short, in a thread of its own, which is started when it is first needed. Hashing in place took 0.56 ms a MiB of the event loop, a third of what
 * a large object costs altogether.
 */
export class HashThread implements AsyncDisposable {
  #worker: Worker | undefined
  /** In the order of the answers. */
  readonly #asked: Asked[] = []
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
    if (this.#worker !== undefined && stream >= this.#firstAlive)
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
    const worker = this.#worker
    this.#end(new DOMException('the cache is closed', 'AbortError'))
    this.#firstAlive = Number.POSITIVE_INFINITY
    await worker?.terminate()
  }

  #askWith(ask: HashRequest['ask'], stream: number, bytes: Uint8Array): Promise<HashAnswer> {
    const isShared = bytes.buffer instanceof SharedArrayBuffer
    const sent = isShared ? bytes : new Uint8Array(bytes)
    return this.#ask({ stream, ask, bytes: sent }, isShared ? [] : [sent.buffer as ArrayBuffer])
  }

  async #ask(request: HashRequest, transfer: ArrayBuffer[] = []): Promise<HashAnswer> {
    if (request.stream < this.#firstAlive) throw this.#ended
    const worker = this.#worker ?? this.#start()
    const length = request.bytes?.length ?? 0
    this.#backlog += length
    return new Promise((resolve, reject) => {
      // Only what somebody waits for keeps the process alive.
      if (this.#asked.push({ length, resolve, reject }) === 1) worker.ref()
      worker.postMessage(request, transfer)
    })
  }

  #start(): Worker {
    const worker = new Worker(workerUrl('./hash-worker', import.meta.url))
    worker.on('message', (answer: HashAnswer) => {
      // One that is gone may still have spoken.
      const asked = worker === this.#worker ? this.#asked.shift() : undefined
      if (asked === undefined) return
      this.#backlog -= asked.length
      if (this.#asked.length === 0) worker.unref()
      asked.resolve(answer)
      this.#wake()
    })
    worker.on('error', (error) => this.#end(error))
    this.#worker = worker
    return worker
  }

  /** The streams of a thread that is gone have lost what they had. */
  #end(error: unknown): void {
    this.#worker = undefined
    this.#ended = error
    this.#firstAlive = this.#streams
    this.#backlog = 0
    for (const { reject } of this.#asked.splice(0)) reject(error)
    this.#wake()
  }

  #wake(): void {
    if (!this.isBehind) for (const wake of this.#waiting.splice(0)) wake()
  }
}
