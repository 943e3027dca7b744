import { link, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../../../src/sample/random.ts'
import { run } from '../run.ts'
import type { History } from './history.ts'
import { type Change, contentAt, type State } from './model.ts'

/** What one step of the workload does, in this order; all of a file's changes through one descriptor. */
export type Step =
  | {
      readonly kind: 'edit'
      readonly path: string
      readonly flags: 'wx' | 'w' | 'r+' | 'a'
      readonly changes: readonly Change[]
      readonly sync: boolean
    }
  | { readonly kind: 'name'; readonly change: Change }
  | { readonly kind: 'sync-file'; readonly path: string }
  | { readonly kind: 'sync-folder' }
  | { readonly kind: 'publish' }
  | { readonly kind: 'pause'; readonly milliseconds: number }

const mostFiles = 40
const mostFolders = 8
const largestWrite = 60_000
const largestFile = 200_000

/** Steps that fit the state there is, from a seed. */
export class Workload {
  readonly random: Random
  #made = 0

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  next(state: State): Step {
    const { random } = this
    const files = pathsOf(state, 'file')
    const folders = pathsOf(state, 'folder')
    const dice = random.integer(0, 99)
    const [file, other] = [pickOf(random, files), pickOf(random, files)]
    if (dice < 5) return { kind: 'sync-folder' }
    if (dice < 7) return { kind: 'publish' }
    if (dice < 15) return { kind: 'pause', milliseconds: random.logarithmic(1, 400) }
    if (dice < 20 && folders.length < mostFolders)
      return name({ kind: 'mkdir', path: this.#newPath(folders) })
    if (file === undefined || (dice < 40 && files.length < mostFiles))
      return this.#edit(state, 'wx', this.#newPath(folders))
    if (dice < 50) return this.#edit(state, 'w', file)
    if (dice < 65) return this.#edit(state, 'a', file)
    if (dice < 78) return this.#edit(state, 'r+', file)
    if (dice < 83) return { kind: 'sync-file', path: file }
    if (dice < 86) return name({ kind: 'rename', from: file, to: this.#newPath(folders) })
    if (dice < 90) return name({ kind: 'rename', from: file, to: other as string })
    if (dice < 92) return name({ kind: 'exchange', from: file, to: other as string })
    if (dice < 94) return name({ kind: 'link', from: file, to: this.#newPath(folders) })
    const folder = pickOf(random, folders)
    if (dice < 96 && folder !== undefined)
      return isEmpty(state, folder)
        ? name({ kind: 'rmdir', path: folder })
        : name({ kind: 'rename', from: folder, to: this.#newPath([]) })
    return name({ kind: 'unlink', path: file })
  }

  #newPath(folders: readonly string[]): string {
    const folder = this.random.chance(0.5) ? pickOf(this.random, folders) : undefined
    const made = `name-${++this.#made}`
    return folder === undefined ? made : `${folder}/${made}`
  }

  #edit(state: State, flags: 'wx' | 'w' | 'r+' | 'a', path: string): Step {
    const { random } = this
    const changes: Change[] = []
    let size = flags === 'wx' ? 0 : contentAt(state, path).length
    if (flags === 'wx') changes.push({ kind: 'create', path })
    if (flags === 'w') {
      changes.push({ kind: 'resize', path, size: 0 })
      size = 0
    }
    for (let left = random.integer(flags === 'r+' ? 1 : 0, 3); left > 0; left--) {
      if (flags === 'r+' && random.chance(0.3)) {
        const newSize = random.integer(0, Math.min(largestFile, size * 2))
        changes.push({ kind: 'resize', path, size: newSize })
        size = newSize
        continue
      }
      const offset = flags === 'r+' ? random.integer(0, Math.min(size + 5_000, largestFile)) : size
      if (offset > largestFile) break
      const bytes = random.bytes(random.logarithmic(1, largestWrite))
      changes.push({ kind: 'write', path, offset, bytes })
      size = Math.max(size, offset + bytes.length)
    }
    return { kind: 'edit', path, flags, changes, sync: random.chance(0.25) }
  }
}

/** Does a step in a mounted snapshot, and tells the history what is begun and what is done. Rejects as soon as something fails. */
export async function perform(root: string, step: Step, history: History): Promise<void> {
  switch (step.kind) {
    case 'edit':
      return edit(root, step, history)
    case 'name':
      return doing(history, step.change, () => changeNames(root, step.change))
    case 'sync-file': {
      await using file = await open(join(root, step.path), 'r')
      await file.sync()
      return
    }
    case 'sync-folder': {
      const { length } = history
      await using folder = await open(root, 'r')
      await folder.sync()
      return history.published(length)
    }
  }
}

async function edit(
  root: string,
  { path, flags, changes, sync }: Extract<Step, { kind: 'edit' }>,
  history: History,
): Promise<void> {
  const place = join(root, path)
  const opens = flags === 'wx' || flags === 'w'
  const [first] = changes
  await using file =
    opens && first !== undefined
      ? await doing(history, first, () => open(place, flags))
      : await open(place, flags)
  for (const change of opens ? changes.slice(1) : changes)
    await doing(history, change, async () => {
      if (change.kind === 'resize') await file.truncate(change.size)
      if (change.kind !== 'write') return
      const { bytesWritten } = await file.write(
        change.bytes,
        0,
        change.bytes.length,
        flags === 'a' ? null : change.offset,
      )
      // A disk that becomes full while the kernel sends a write in pieces.
      if (bytesWritten < change.bytes.length)
        throw Object.assign(new Error(`only ${bytesWritten} of ${change.bytes.length} bytes were written`), {
          code: 'ENOSPC',
        })
    })
  if (sync) await file.sync()
}

async function doing<T>(history: History, change: Change, work: () => Promise<T>): Promise<T> {
  history.begin(change)
  const result = await work()
  history.done()
  return result
}

async function changeNames(root: string, change: Change): Promise<void> {
  switch (change.kind) {
    case 'mkdir':
      return mkdir(join(root, change.path))
    case 'rmdir':
      return rmdir(join(root, change.path))
    case 'unlink':
      return unlink(join(root, change.path))
    case 'link':
      return link(join(root, change.from), join(root, change.to))
    case 'rename':
      return rename(join(root, change.from), join(root, change.to))
    case 'exchange': {
      const { stderr } = await run('python3', [
        '-c',
        exchange,
        join(root, change.from),
        join(root, change.to),
      ])
      if (stderr !== '') throw Object.assign(new Error(`exchange: ${stderr}`), { code: stderr.trim() })
    }
  }
}

/** renameat2(2) with RENAME_EXCHANGE, which Node has not. */
const exchange = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2):
    sys.exit(errno.errorcode[ctypes.get_errno()])
`

function name(change: Change): Step {
  return { kind: 'name', change }
}

function pathsOf({ paths }: State, kind: 'file' | 'folder'): string[] {
  return [...paths]
    .filter(([, target]) => (target === 'folder') === (kind === 'folder'))
    .map(([path]) => path)
}

function isEmpty({ paths }: State, folder: string): boolean {
  return ![...paths.keys()].some((path) => path.startsWith(`${folder}/`))
}

function pickOf<T>(random: Random, items: readonly T[]): T | undefined {
  return items[random.integer(0, items.length - 1)]
}
