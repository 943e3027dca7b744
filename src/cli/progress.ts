import { formatByteSize } from '../base/byte-size.ts'

/** What is known of a job under way. */
export interface Progress {
  readonly files: number
  /** Bytes. */
  readonly bytes: number
  /** Of which so many had to be sent. */
  readonly uploadedBytes: number
}

/** Milliseconds between two states shown. */
const onTerminal = 100
const elsewhere = 5000

/** Shows how far a job has come: one line that is rewritten on a terminal, a line every few seconds elsewhere. On standard error. */
export class ProgressDisplay implements Disposable {
  readonly #verb: string
  readonly #stream: NodeJS.WriteStream
  readonly #started = performance.now()
  #shown = performance.now()
  #isLineOpen = false

  constructor(verb: string, stream: NodeJS.WriteStream = process.stderr) {
    this.#verb = verb
    this.#stream = stream
  }

  show(progress: Progress): void {
    const now = performance.now()
    if (now - this.#shown < (this.#stream.isTTY ? onTerminal : elsewhere)) return
    this.#shown = now
    const seconds = (now - this.#started) / 1000
    const { files, bytes, uploadedBytes } = progress
    const line =
      `${this.#verb}: ${files} files, ${formatByteSize(bytes)}, sent ${formatByteSize(uploadedBytes)}, ` +
      `${Math.round(files / seconds)} files/s, ${formatByteSize(uploadedBytes / seconds)}/s`
    if (!this.#stream.isTTY) this.#stream.write(`${line}\n`)
    else {
      // To the line's start, and away with what stood there.
      this.#stream.write(`\r\u001b[K${line.slice(0, (this.#stream.columns ?? 80) - 1)}`)
      this.#isLineOpen = true
    }
  }

  [Symbol.dispose](): void {
    if (this.#isLineOpen) this.#stream.write('\r\u001b[K')
    this.#isLineOpen = false
  }
}
