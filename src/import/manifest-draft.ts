import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { type Manifest, type ManifestItem, parseManifest } from '../snapshot/manifest.ts'
import type { FileName } from '../snapshot/tree.ts'

export interface ManifestFacts {
  /** Epoch seconds, if the user said so. */
  readonly created?: number | undefined
  readonly account?: string | undefined
  /** Epoch seconds of the top folder's last change. */
  readonly folderTime: number
  /** Prefix of the repository's keys; its last folder stands in for the account's name. */
  readonly repository: string
}

/** Gathers what the manifest of an import says. The source's own `jetbackup.index`, if it has one, is the base of it. */
export class ManifestDraft {
  readonly #logger: Logger
  readonly #items = new Map<FileName, { files: number; size: number }>()
  #base: Manifest | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  setBase(bytes: Buffer): void {
    try {
      this.#base = parseManifest(bytes)
    } catch (error) {
      this.#logger.warn(
        { error: messageOf(error) },
        'the source’s own jetbackup.index says nothing that can be used',
      )
    }
  }

  addFolder(path: readonly FileName[]): void {
    const [top] = path
    if (path.length === 1 && top !== undefined) this.#items.set(top, { files: 0, size: 0 })
  }

  addFile(path: readonly FileName[], size: number): void {
    const item = path.length > 1 ? this.#items.get(path[0] as FileName) : undefined
    if (item === undefined) return
    item.files++
    item.size += size
  }

  manifest({ created, account, folderTime, repository }: ManifestFacts): {
    manifest: Omit<Manifest, 'bytes' | 'jbfs'>
    base?: { readonly [member: string]: unknown }
  } {
    const base =
      this.#base && (JSON.parse(this.#base.bytes.toString('utf8')) as { [member: string]: unknown })
    const items = (base?.items as readonly ManifestItem[] | undefined) ?? this.#countedItems()
    return {
      manifest: {
        created: created ?? (this.#base?.created || folderTime),
        suspended: this.#base?.suspended ?? false,
        account: account ?? this.#base?.account ?? repository.split('/').at(-2),
        items,
      },
      ...(base && { base }),
    }
  }

  #countedItems(): ManifestItem[] {
    return [...this.#items].map(([name, counts]) => {
      const path = Buffer.from(name, 'latin1').toString('utf8')
      return { type: path, path, ...counts }
    })
  }
}
