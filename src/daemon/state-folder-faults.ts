import { codeOf, messageOf } from '../base/errors.ts'

/** Seconds for which a fault is told of: who goes on writing meets it again, and an older one may be over. */
const toldFor = 600

export interface StateFolderFault {
  readonly message: string
  /** Since somebody met it. */
  readonly seconds: number
}

/** What keeps the state folder from taking what is written, as whoever wrote it was told only by an error number. */
export class StateFolderFaults {
  #last: { readonly message: string; readonly at: number } | undefined

  /** Of all that fails at the mount. */
  note(error: unknown): void {
    const code = codeOf(error)
    if (code === 'staging-full' || code === 'staging-failed')
      this.#last = { message: messageOf(error), at: performance.now() }
  }

  get recent(): StateFolderFault | undefined {
    if (this.#last === undefined) return undefined
    const seconds = Math.round((performance.now() - this.#last.at) / 1000)
    return seconds > toldFor ? undefined : { message: this.#last.message, seconds }
  }
}
