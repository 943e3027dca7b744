import { createHash } from 'node:crypto'
import {
  type ListOptions,
  type ListPage,
  type ObjectBody,
  type ObjectKey,
  type ObjectMetadata,
  type ObjectReader,
  type ObjectStream,
  objectKey,
} from '../../src/store/object-store.ts'

/** Objects in memory, which may have names that no folder could hold side by side. A test changes `objects` as it likes. */
export class MemoryReader implements ObjectReader {
  readonly description = 'memory'
  readonly objects: Map<string, string>
  /** Prefixes that were listed. */
  readonly listed: string[] = []
  /** Called before each listing is answered. */
  beforeList: (prefix: string) => Promise<void> | void = () => {}

  constructor(objects: Readonly<Record<string, string>> = {}) {
    this.objects = new Map(Object.entries(objects))
  }

  async *list(prefix: string, { delimiter }: ListOptions = {}): AsyncIterable<ListPage> {
    this.listed.push(prefix)
    await this.beforeList(prefix)
    const objects: ObjectMetadata[] = []
    const prefixes = new Set<string>()
    for (const key of [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort()) {
      const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
      if (end === -1) objects.push(this.#metadata(objectKey(key)) as ObjectMetadata)
      else prefixes.add(key.slice(0, end + 1))
    }
    yield { objects, prefixes: [...prefixes] }
  }

  async get(key: ObjectKey): Promise<ObjectBody | undefined> {
    const metadata = this.#metadata(key)
    return metadata && { ...metadata, bytes: Buffer.from(this.objects.get(key) as string) }
  }

  async getStream(): Promise<ObjectStream | undefined> {
    throw new Error('no streams here')
  }

  async head(key: ObjectKey): Promise<ObjectMetadata | undefined> {
    return this.#metadata(key)
  }

  #metadata(key: ObjectKey): ObjectMetadata | undefined {
    const text = this.objects.get(key)
    if (text === undefined) return undefined
    const etag = createHash('md5').update(text).digest('hex')
    return { key, size: Buffer.byteLength(text), etag, modified: 0 }
  }
}
