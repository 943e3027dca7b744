import { Worker } from 'node:worker_threads'

interface Asked<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * A worker that answers each request with one message, in their order. It is started when it is first needed, and anew when it has died; it keeps the
 * process alive only while somebody waits for it.
 */
export class AnsweringThread<Request, Answer> implements AsyncDisposable {
  readonly #url: URL
  readonly #onEnd: (error: unknown) => void
  #worker: Worker | undefined
  /** In the order of the answers. */
  readonly #asked: Asked<Answer>[] = []
  #closed: unknown

  /** `onEnd`: the worker is gone, with all that it knew; called before those who wait are told. */
  constructor(url: URL, onEnd: (error: unknown) => void = () => {}) {
    this.#url = url
    this.#onEnd = onEnd
  }

  get isStarted(): boolean {
    return this.#worker !== undefined
  }

  /** Rejects with what the worker died of. */
  async ask(request: Request, transfer: ArrayBuffer[] = []): Promise<Answer> {
    if (this.#closed !== undefined) throw this.#closed
    const worker = this.#worker ?? this.#start()
    return new Promise((resolve, reject) => {
      // What cannot be sent is not answered: whoever asks next would take its place.
      worker.postMessage(request, transfer)
      if (this.#asked.push({ resolve, reject }) === 1) worker.ref()
    })
  }

  /** Ends it: all that was asked and is asked from now on is rejected with `reason`. */
  async end(reason: Error): Promise<void> {
    const worker = this.#worker
    this.#closed = reason
    this.#end(reason)
    await worker?.terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end(new DOMException('nobody needs it any more', 'AbortError'))
  }

  #start(): Worker {
    const worker = new Worker(this.#url)
    worker.unref()
    worker.on('message', (answer: Answer) => {
      // One that is gone may still have spoken; whoever waits for its end is kept alive by it alone.
      if (worker !== this.#worker) return
      const asked = this.#asked.shift()
      if (this.#asked.length === 0) worker.unref()
      asked?.resolve(answer)
    })
    worker.on('error', (error) => {
      if (worker === this.#worker) this.#end(error)
    })
    this.#worker = worker
    return worker
  }

  #end(error: unknown): void {
    this.#worker = undefined
    this.#onEnd(error)
    for (const { reject } of this.#asked.splice(0)) reject(error)
  }
}
