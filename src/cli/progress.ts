import { formatByteSize } from '../base/byte-size.ts'
import { ProgressLine } from './progress-line.ts'

/** What is known of a job under way. */
export interface Progress {
  readonly files: number
  /** Bytes. */
  readonly bytes: number
  /** Of which so many had to be sent. */
  readonly uploadedBytes: number
}

/** Shows how far a job with files has come. */
export class ProgressDisplay implements Disposable {
  readonly #verb: string
  readonly #line: ProgressLine

  constructor(verb: string, stream?: NodeJS.WriteStream) {
    this.#verb = verb
    this.#line = new ProgressLine(stream)
  }

  show({ files, bytes, uploadedBytes }: Progress): void {
    this.#line.show(
      (seconds) =>
        `${this.#verb}: ${files} files, ${formatByteSize(bytes)}, sent ${formatByteSize(uploadedBytes)}, ` +
        `${Math.round(files / seconds)} files/s, ${formatByteSize(uploadedBytes / seconds)}/s`,
    )
  }

  [Symbol.dispose](): void {
    this.#line[Symbol.dispose]()
  }
}
