import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, readdir } from 'node:fs/promises'
import type { FileName } from '../snapshot/tree.ts'
import { ImportError } from './errors.ts'
import { openLongPath } from './open-long-path.ts'
import { readable } from './readable.ts'

/** A folder of a source: where it is, and which one it was when it was found. */
export interface FoundFolder {
  /** Names from the top folder down. */
  readonly path: readonly FileName[]
  readonly at: Buffer
  readonly found: Pick<BigIntStats, 'dev' | 'ino'>
}

/** A folder that is open. Its names are looked up in it, whatever has become of its own name and of those above it. */
export class OpenFolder implements AsyncDisposable {
  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** Rejects with `source-changed` when it is not the one that was found: a symlink in its place would lead anywhere. */
  static async open({ at, found }: FoundFolder): Promise<OpenFolder> {
    return readable(at, async () => {
      const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
      const handle = await openLongPath(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      const { dev, ino } = await handle.stat({ bigint: true })
      if (dev === found.dev && ino === found.ino) return new OpenFolder(handle)
      await handle.close()
      throw replaced(at)
    })
  }

  /** A path of the entry `name`, or of the folder itself (`.`), while this is open. */
  pathOf(name: Buffer | string): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#handle.fd}/`), Buffer.from(name)])
  }

  /** By their bytes. */
  async names(): Promise<Buffer[]> {
    const names = await readdir(this.pathOf('.'), { encoding: 'buffer' })
    return names.sort((a, b) => a.compare(b))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close()
  }
}

export function replaced(at: Buffer): ImportError {
  return new ImportError(
    'source-changed',
    `${String(at)} was replaced while it was read: import when it is at rest`,
  )
}
