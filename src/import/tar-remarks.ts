/** Kinds of warnings that say nothing of what was unpacked (GNU tar's manual, "Warning Keywords"): times as they were, keywords of other programs. */
const harmlessWarnings = ['timestamp', 'unknown-keyword', 'alone-zero-block', 'contiguous-cast']

export const quietFlags = harmlessWarnings.map((name) => `--warning=no-${name}`)

/** Has no keyword, but changes nothing: names in the archive begin at its top. */
const harmlessLine = /^tar: Removing leading `/

/** What is said of a file that was unpacked without an attribute of it; all else is why something was not. */
const lostAttribute =
  /: Warning: Cannot |: Cannot set '.*' extended attribute for file |: Cannot set (POSIX ACLs|SELinux context) for file /

/** Bytes of a line; the rest of it is left out. */
const longestLine = 4096
/** Lines that are repeated; the others are counted. */
const mostLines = 2

/** What tar(1) says on its standard error in the C locale, as it comes: what matters is kept, a few lines of it. */
export class TarRemarks {
  readonly #errors = new Lines()
  readonly #lost = new Lines()
  #begun = ''

  add(text: string): void {
    const lines = (this.#begun + text).split('\n')
    this.#begun = (lines.pop() as string).slice(0, longestLine)
    for (const line of lines) this.#take(line.slice(0, longestLine))
  }

  /** In one line, errors before lost attributes; '' when nothing was said that matters. */
  summary(): string {
    this.#take(this.#begun)
    this.#begun = ''
    return (this.#errors.count > 0 ? this.#errors : this.#lost).summary()
  }

  #take(line: string): void {
    if (line === '' || harmlessLine.test(line)) return
    if (lostAttribute.test(line)) this.#lost.add(line)
    else this.#errors.add(line)
  }
}

class Lines {
  readonly #first: string[] = []
  count = 0

  add(line: string): void {
    this.count++
    if (this.#first.length < mostLines) this.#first.push(line)
  }

  summary(): string {
    const others = this.count - this.#first.length
    return [...this.#first, ...(others > 0 ? [`${others} more`] : [])].join(' · ')
  }
}
