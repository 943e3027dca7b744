import { createdOf } from '../snapshot/catalog.ts'
import type { Node, ObjectFile, TextFile } from './folder.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'
import type { NodeTable } from './node-table.ts'

export type OwnFile = TextFile | ObjectFile

export interface OwnFilesOptions {
  readonly nodes: NodeTable<Node>
  /** What to do with a snapshot, of these repository and name, whose files are not known. */
  readonly readme: ((repository: string, name: string) => string) | undefined
}

/** The files that are shown in a snapshot and are none of its tree. Each is made when it is first asked for, and stays the same node as long as the snapshot is there. */
export class OwnFiles {
  readonly #options: OwnFilesOptions
  readonly #files = new Map<MountedSnapshot, Map<string, OwnFile>>()

  constructor(options: OwnFilesOptions) {
    this.#options = options
  }

  /** The file that shows a snapshot's manifest; undefined when it has none. */
  manifest(snapshot: MountedSnapshot): OwnFile | undefined {
    const { manifest, opaqueManifest } = snapshot.entry
    return this.#file(snapshot, 'manifest', () => {
      if (manifest !== undefined) return this.#addText(manifest.bytes, manifest.created)
      return (
        opaqueManifest && this.#options.nodes.add<ObjectFile>({ kind: 'object', metadata: opaqueManifest })
      )
    })
  }

  /** The file that says what to do with a snapshot whose files are not known; undefined for any other. */
  readme(snapshot: MountedSnapshot): OwnFile | undefined {
    const { entry, repository, problem } = snapshot
    if (problem?.code !== 'foreign') return undefined
    return this.#file(snapshot, 'readme', () => {
      const text = this.#options.readme?.(repository, entry.name)
      return text === undefined ? undefined : this.#addText(Buffer.from(text), createdOf(entry))
    })
  }

  /** Has the file of a manifest, if anybody has asked for it, show the present one; returns it when that is another. */
  renewed(snapshot: MountedSnapshot): OwnFile | undefined {
    const file = this.#files.get(snapshot)?.get('manifest')
    const { manifest } = snapshot.entry
    if (file?.kind !== 'text' || manifest === undefined || file.bytes.equals(manifest.bytes)) return undefined
    file.bytes = manifest.bytes
    file.created = manifest.created
    return file
  }

  /** Nobody is in the snapshot any more. */
  drop(snapshot: MountedSnapshot): void {
    for (const { nodeid } of this.#files.get(snapshot)?.values() ?? []) this.#options.nodes.delete(nodeid)
    this.#files.delete(snapshot)
  }

  #file(
    snapshot: MountedSnapshot,
    which: 'manifest' | 'readme',
    make: () => OwnFile | undefined,
  ): OwnFile | undefined {
    const files = this.#files.get(snapshot) ?? new Map<string, OwnFile>()
    const file = files.get(which) ?? make()
    if (file !== undefined) this.#files.set(snapshot, files.set(which, file))
    return file
  }

  #addText(bytes: Buffer, created: number): TextFile {
    return this.#options.nodes.add<TextFile>({ kind: 'text', bytes, created })
  }
}
