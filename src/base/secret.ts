import { inspect } from 'node:util'

const redacted = '[redacted]'

/** A key or a password: whatever prints it, in a message, a log line or a dump, prints something else. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** For whoever signs with it, or writes it where it is kept. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return redacted
  }
}
