/** Milliseconds between two states shown. */
const onTerminal = 100
const elsewhere = 5000

/** One line that is rewritten on a terminal, a line every few seconds elsewhere. On standard error. */
export class ProgressLine implements Disposable {
  readonly #stream: NodeJS.WriteStream
  readonly #started = performance.now()
  #shown = performance.now()
  #isLineOpen = false

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
  }

  /** `text` is asked for when it is time to show something, with the seconds since the beginning. */
  show(text: (seconds: number) => string): void {
    const now = performance.now()
    if (now - this.#shown < (this.#stream.isTTY ? onTerminal : elsewhere)) return
    this.#shown = now
    const line = text((now - this.#started) / 1000)
    if (!this.#stream.isTTY) this.#stream.write(`${line}\n`)
    else {
      // To the line's start, and away with what stood there.
      this.#stream.write(`\r\u001b[K${line.slice(0, (this.#stream.columns ?? 80) - 1)}`)
      this.#isLineOpen = true
    }
  }

  /** Takes away what stands there, before something else is printed. */
  clear(): void {
    if (this.#isLineOpen) this.#stream.write('\r\u001b[K')
    this.#isLineOpen = false
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}
