import { spawn } from 'node:child_process'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRoot } from '../base/is-root.ts'
import type { Logger } from '../base/log.ts'
import { ImportError } from './errors.ts'
import { FolderSource } from './folder-source.ts'
import type { ImportSource, SourceEntry } from './source.ts'
import { quietFlags, TarRemarks } from './tar-remarks.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

/** The folder of a `download_*.tar.gz` that is the snapshot. */
const backupFolder = 'backup'

/** The vendor's names of top-level folders: an archive that has only one of them is a snapshot nevertheless. */
const itemFolders = [
  'certificate',
  'config',
  'cronjob',
  'database',
  'database_user',
  'domain',
  'email',
  'ftp',
  'homedir',
  'jetbackup.configs',
]

/** GNU tar keeps what archives hold and npm's readers lose: binary xattrs, ACLs, holes, names that are not UTF-8. */
const extractionFlags = [
  '--extract',
  '--numeric-owner',
  '--preserve-permissions',
  '--xattrs',
  '--xattrs-include=*',
  '--acls',
  '--delay-directory-restore',
  ...quietFlags,
]

/**
 * A tar archive, compressed in any way tar(1) knows: a download of the vendor's (its `backup/` is the tree), or any other (its only folder, or
 * all of it). It is unpacked below the folder for temporary files, which needs the room; tar refuses members that lead out of it.
 */
export class ArchiveSource implements ImportSource {
  readonly description: string
  /** tar writes holes as zeros unless it is asked to look for them (`--sparse`), and unpacks what it finds. */
  readonly losesHoles = true
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
    const folder = await makeTemporaryFolder('jbfs-archive-')
    try {
      if (!isRoot())
        logger.warn({ archive: path }, 'only root can keep the owners of files: they become yours')
      // An archive may hold `./`, with any owner and mode: the folder around it lets nobody in.
      const unpacked = join(folder, 'unpacked')
      await mkdir(unpacked)
      const remarks = await unpack(path, unpacked, signal)
      if (remarks !== '')
        logger.warn({ archive: path, tar: remarks }, 'all files are unpacked, but not with all that they had')
      return new ArchiveSource(path, await FolderSource.open(await topOf(unpacked)), folder)
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

async function topOf(folder: string): Promise<Buffer> {
  const top = Buffer.from(folder)
  const entries = await readdir(top, { withFileTypes: true, encoding: 'buffer' })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name as unknown as Buffer)
  const below = (name: Buffer): Buffer => Buffer.concat([top, Buffer.from('/'), name])
  const backup = folders.find((name) => name.equals(Buffer.from(backupFolder)))
  if (backup !== undefined) return below(backup)
  const [only] = folders
  const isWrapper =
    only !== undefined && entries.length === 1 && !itemFolders.includes(only.toString('latin1'))
  return isWrapper ? below(only) : top
}

/**
 * Resolves with what tar has to say although it is done: attributes that the file system does not take, for one. Whatever it cannot unpack makes its
 * exit code another than 0, and rejects with `bad-source`.
 */
function unpack(path: string, folder: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const tar = spawn('tar', [...extractionFlags, '--file', path, '--directory', folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      signal,
    })
    const remarks = new TarRemarks()
    tar.stderr.on('data', (chunk: Buffer) => remarks.add(chunk.toString('latin1')))
    let failure: Error | undefined
    tar.on('error', (error) => {
      failure = error
    })
    // Before it has closed it may still be writing.
    tar.on('close', (code) => {
      if (signal.aborted) reject(signal.reason)
      else if (code === 0) resolve(remarks.summary())
      else
        reject(
          new ImportError(
            'bad-source',
            `${path} cannot be unpacked: ${failure?.message ?? remarks.summary()}`,
            { cause: failure },
          ),
        )
    })
  })
}
