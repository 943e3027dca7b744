import type { Random } from './random.ts'

const words = [
  ...[
    'function',
    'return',
    'array',
    'class',
    'public',
    'static',
    'echo',
    'foreach',
    'option',
    'post',
    'query',
    'user',
  ],
  ...[
    'theme',
    'plugin',
    'template',
    'content',
    'comment',
    'category',
    'widget',
    'header',
    'footer',
    'order',
    'price',
  ],
  ...[
    'the',
    'and',
    'with',
    'for',
    'from',
    'this',
    'that',
    'please',
    'invoice',
    'delivery',
    'customer',
    'meeting',
  ],
] as const

const corpusSize = 1 << 20

/** Text that compresses about as source code and mail do, cut out of one mebibyte made once: cheap by the hundred thousand files. */
export class Text {
  readonly #corpus: Buffer
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
    let text = ''
    while (text.length < corpusSize) {
      const line: string[] = []
      for (let count = random.integer(3, 14); count > 0; count--) line.push(random.pick(words))
      text += `${line.join(' ')} ${random.hex(8)}\n`
    }
    this.#corpus = Buffer.from(text)
  }

  /** `size` bytes that begin with `start`. The beginning of the rest is drawn, so that hardly two files are alike. */
  ofSize(size: number, start = ''): Buffer {
    const content = Buffer.allocUnsafe(size)
    let filled = content.write(start)
    while (filled < size) {
      const from = this.#random.integer(0, this.#corpus.length - 1)
      filled += this.#corpus.copy(content, filled, from)
    }
    return content
  }
}
