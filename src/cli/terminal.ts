import { createInterface, type Interface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CliError } from './errors.ts'

/** Questions to whoever sits at the terminal, on standard error. Dispose of it to give the terminal back. */
export class Terminal implements Disposable {
  readonly #lines: Interface
  readonly #ended = new AbortController()
  #isMuted = false

  constructor() {
    const output = new Writable({
      write: (chunk, _, done) => {
        if (!this.#isMuted) process.stderr.write(chunk)
        done()
      },
    })
    this.#lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
    // Ctrl-C and Ctrl-D.
    this.#lines.on('SIGINT', () => this.#lines.close())
    this.#lines.on('close', () => this.#ended.abort(new CliError('interrupted', 'interrupted')))
  }

  say(line: string): void {
    process.stderr.write(`${line}\n`)
  }

  async ask(question: string): Promise<string> {
    const { signal } = this.#ended
    try {
      return (await this.#lines.question(question, { signal })).trim()
    } catch (error) {
      if (signal.aborted) process.stderr.write('\n')
      signal.throwIfAborted()
      throw error
    }
  }

  /** The answer is not shown. */
  async askSecret(question: string): Promise<string> {
    process.stderr.write(question)
    this.#isMuted = true
    try {
      return await this.ask('')
    } finally {
      this.#isMuted = false
      process.stderr.write('\n')
    }
  }

  async confirm(question: string): Promise<boolean> {
    return /^y(es)?$/i.test(await this.ask(`${question} [y/N] `))
  }

  [Symbol.dispose](): void {
    this.#lines.close()
  }
}

export function isAtTerminal(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}
