import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { ImportError } from './errors.ts'
import { FolderSource } from './folder-source.ts'
import type { ImportSource, SourceEntry } from './source.ts'

/** The folder of a `download_*.tar.gz` that is the snapshot. */
const backupFolder = 'backup'

/** GNU tar keeps what archives hold and npm's readers lose: binary xattrs, ACLs, holes, names that are not UTF-8. */
const extractionFlags = [
  '--extract',
  '--numeric-owner',
  '--preserve-permissions',
  '--xattrs',
  '--xattrs-include=*',
  '--acls',
  '--delay-directory-restore',
]

/**
 * A tar archive, compressed in any way tar(1) knows: a download of the vendor's (its `backup/` is the tree), or any other (its only folder, or
 * all of it). It is unpacked below the folder for temporary files, which needs the room; tar refuses members that lead out of it.
 */
export class ArchiveSource implements ImportSource {
  readonly description: string
  readonly #tree: FolderSource
  readonly #folder: string

  private constructor(path: string, tree: FolderSource, folder: string) {
    this.description = path
    this.#tree = tree
    this.#folder = folder
  }

  static async open(
    path: string,
    { logger, signal }: { logger: Logger; signal: AbortSignal },
  ): Promise<ArchiveSource> {
    const folder = await mkdtemp(join(tmpdir(), 'jbfs-archive-'))
    try {
      if (process.getuid?.() !== 0)
        logger.warn({ archive: path }, 'only root can keep the owners of files: they become yours')
      await unpack(path, folder, signal)
      return new ArchiveSource(path, await FolderSource.open(await topOf(folder)), folder)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  entries(options: { readonly signal: AbortSignal }): AsyncIterable<SourceEntry> {
    return this.#tree.entries(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function topOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  if (folders.includes(backupFolder)) return join(folder, backupFolder)
  const [only] = folders
  return only !== undefined && entries.length === 1 ? join(folder, only) : folder
}

function unpack(path: string, folder: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const tar = spawn('tar', [...extractionFlags, '--file', path, '--directory', folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      signal,
    })
    let said = ''
    tar.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('latin1')).slice(0, 4096)
    })
    const refuse = (reason: string, cause?: unknown): void =>
      reject(
        signal.aborted
          ? signal.reason
          : new ImportError('bad-source', `${path} cannot be unpacked: ${reason}`, { cause }),
      )
    tar.on('error', (error) => refuse(messageOf(error), error))
    tar.on('close', (code) => {
      if (code === 0) resolve()
      else refuse(said.trim().split('\n').slice(0, 2).join(' · '))
    })
  })
}
