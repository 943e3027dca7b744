import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import {
  largestManifest,
  type Manifest,
  type ManifestItem,
  type ManifestMembers,
  manifestMembers,
  parseManifest,
} from '../snapshot/manifest.ts'
import type { FileName } from '../snapshot/tree.ts'

/** Bytes of the largest manifest, without the members that an import replaces or adds. */
const largestDraft = largestManifest - (64 << 10)

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
  #base:
    | { readonly manifest: Manifest; readonly members: ManifestMembers; readonly length: number }
    | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  setBase(bytes: Buffer): void {
    try {
      const members = manifestMembers(bytes)
      const manifest = parseManifest(bytes)
      // What is nested too deep can be read, but not written.
      const { length } = Buffer.from(JSON.stringify(members, null, 2))
      if (length > largestDraft) throw new Error(`written anew it would have ${length} bytes`)
      this.#base = { manifest, members, length }
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'the source’s own jetbackup.index cannot be used')
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
    base?: ManifestMembers
  } {
    const { manifest, members, length = 0 } = this.#base ?? {}
    const given = members?.items as readonly ManifestItem[] | undefined
    return {
      manifest: {
        created: created ?? (manifest?.created || folderTime),
        suspended: manifest?.suspended ?? false,
        account: account ?? manifest?.account ?? repository.split('/').at(-2),
        items: given ?? this.#countedItems(largestDraft - length),
      },
      ...(members && { base: members }),
    }
  }

  /** None, if all of them would take more than `room` bytes of the manifest. */
  #countedItems(room: number): ManifestItem[] {
    const items = [...this.#items].map(([name, counts]) => {
      const path = Buffer.from(name, 'latin1').toString('utf8')
      return { type: path, path, ...counts }
    })
    if (Buffer.byteLength(JSON.stringify(items, null, 4)) <= room) return items
    this.#logger.warn({ items: items.length }, 'the manifest has no room for the counts of so many folders')
    return []
  }
}
