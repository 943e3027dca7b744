import { type Abortable, orAborted } from '../base/abort.ts'
import type { MaybePromise } from '../fuse/operations.ts'
import type { FileName } from '../snapshot/tree.ts'
import type { ListPage, ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import { marked, rawNameOf } from './raw-names.ts'

/** What a name in a folder of keys stands for: an object, or what the keys of more of them begin with. */
export type RawPlace =
  | { readonly kind: 'object'; readonly metadata: ObjectMetadata }
  | { readonly kind: 'folder'; readonly prefix: string }

export interface RawChild {
  readonly name: FileName
  readonly place: RawPlace
}

/** A folder of keys as far as anybody has wanted to see it: the store is asked for the next page when somebody gets there. */
export class RawListing {
  readonly #prefix: string
  readonly #pages: AsyncIterator<ListPage>
  readonly #children: RawChild[] = []
  readonly #byName = new Map<string, RawChild>()
  #next: Promise<void> | undefined
  #state: 'under way' | 'complete' | 'failed' = 'under way'

  constructor(reader: ObjectReader, prefix: string) {
    this.#prefix = prefix
    this.#pages = reader.list(prefix, { delimiter: '/' })[Symbol.asyncIterator]()
  }

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  /** Nothing more comes of it: another one is needed. */
  get hasFailed(): boolean {
    return this.#state === 'failed'
  }

  /** What has been listed so far. */
  get children(): readonly RawChild[] {
    return this.#children
  }

  named(name: string): RawChild | undefined {
    return this.#byName.get(name)
  }

  /** Lists on until there are more than `count` children, or no more come. Rejects with a `StoreError`. */
  beyond(count: number, { signal }: Abortable): MaybePromise<void> {
    if (this.#children.length > count || this.isComplete) return
    return this.#beyond(count, signal)
  }

  async #beyond(count: number, signal: AbortSignal | undefined): Promise<void> {
    while (this.#children.length <= count && !this.isComplete) {
      // Not the caller's signal: others wait for the same page.
      this.#next ??= this.#takePage().finally(() => {
        this.#next = undefined
      })
      await orAborted(this.#next, signal)
    }
  }

  async #takePage(): Promise<void> {
    try {
      const page = await this.#pages.next()
      if (page.done) this.#state = 'complete'
      else this.#add(page.value)
    } catch (error) {
      this.#state = 'failed'
      throw error
    }
  }

  #add({ prefixes, objects }: ListPage): void {
    // Of a key `a` and keys `a/…` the former comes first in all listings, and keeps the name.
    for (const metadata of objects) {
      const part = metadata.key.slice(this.#prefix.length)
      // Some tools put an empty object where they want a folder to be seen.
      if (part !== '' || metadata.size > 0) this.#addChild(part, { kind: 'object', metadata })
    }
    for (const prefix of prefixes)
      this.#addChild(prefix.slice(this.#prefix.length, -1), { kind: 'folder', prefix })
  }

  #addChild(part: string, place: RawPlace): void {
    let name = rawNameOf(part)
    while (this.#byName.has(name)) name = marked(name)
    const child = { name, place }
    this.#children.push(child)
    this.#byName.set(name, child)
  }
}
