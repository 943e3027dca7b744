import { chmodSync, lstatSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { sep } from 'node:path'

export interface FileOptions {
  /** Permissions, setuid, setgid and sticky; the umask does not count. 0o644 unless said, 0o755 for folders. */
  readonly mode?: number | undefined
  /** Seconds since 1970. */
  readonly modified: number
}

/** What has been written so far. */
export interface TreeCounts {
  files: number
  folders: number
  /** Of the regular files, holes included. */
  bytes: number
}

/** `name` in `folder`, both as bytes. */
export function inside(folder: Buffer, name: string | Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from(sep), typeof name === 'string' ? Buffer.from(name) : name])
}

/**
 * Writes files and folders with the modes and times they are told, whatever the umask. Folders get their times from
 * `finish`, after all that they hold, since each new name would change them again.
 */
export class TreeWriter {
  readonly root: Buffer
  readonly counts: TreeCounts = { files: 0, folders: 0, bytes: 0 }
  readonly #folderTimes = new Map<string, { readonly path: Buffer; readonly modified: number }>()

  constructor(root: Buffer) {
    this.root = root
  }

  /** Where `path`, relative to the root and with `/` between the names, is. */
  at(path: string): Buffer {
    return path === '' ? this.root : inside(this.root, path)
  }

  /** Makes a folder in one that exists. */
  folder(path: Buffer, { mode = 0o755, modified }: FileOptions): void {
    mkdirSync(path)
    this.counts.folders++
    this.adoptFolder(path, mode, modified)
  }

  /** Sets the mode of a folder that is there already, and has `finish` set its time. */
  adoptFolder(path: Buffer, mode: number, modified: number): void {
    chmodSync(path, mode)
    this.#folderTimes.set(path.toString('latin1'), { path, modified })
  }

  file(path: Buffer, content: string | Buffer, { mode = 0o644, modified }: FileOptions): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    writeFileSync(path, bytes, { flag: 'wx' })
    chmodSync(path, mode)
    utimesSync(path, modified, modified)
    this.counts.files++
    this.counts.bytes += bytes.length
  }

  symlink(path: Buffer, target: string | Buffer, modified: number): void {
    symlinkSync(target, path)
    lutimesSync(path, modified, modified)
  }

  /** Counts a file or folder that was made elsewhere. */
  count(path: Buffer): void {
    const stats = lstatSync(path)
    if (stats.isDirectory()) this.counts.folders++
    if (!stats.isFile()) return
    this.counts.files++
    this.counts.bytes += stats.size
  }

  /** Takes over what a writer has done for a folder inside this one. */
  absorb(part: TreeWriter): void {
    this.counts.files += part.counts.files
    this.counts.folders += part.counts.folders
    this.counts.bytes += part.counts.bytes
    for (const [key, value] of part.#folderTimes) this.#folderTimes.set(key, value)
  }

  finish(): void {
    for (const { path, modified } of this.#folderTimes.values()) utimesSync(path, modified, modified)
  }
}
