import { createHash } from 'node:crypto'

/** One system call that changes a tree; paths are relative to its top folder. */
export type Change =
  | { readonly kind: 'create'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'resize'; readonly path: string; readonly size: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'exchange'; readonly from: string; readonly to: string }
  | { readonly kind: 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'rmdir'; readonly path: string }

/** What a path leads to: a folder, or a file by a number that its other names have, too. */
export type Target = 'folder' | number

/** A tree at one moment. A value: what changes makes another one. */
export interface State {
  readonly paths: ReadonlyMap<string, Target>
  readonly files: ReadonlyMap<number, Buffer>
}

export const emptyState: State = { paths: new Map(), files: new Map() }

/** The state after a change that Linux would do; the workload makes no other. */
export function changed(state: State, change: Change): State {
  const paths = new Map(state.paths)
  const files = new Map(state.files)
  switch (change.kind) {
    case 'create': {
      const file = Math.max(0, ...files.keys()) + 1
      paths.set(change.path, file)
      files.set(file, Buffer.alloc(0))
      break
    }
    case 'write':
      files.set(fileAt(state, change.path), written(contentAt(state, change.path), change))
      break
    case 'resize': {
      const content = Buffer.alloc(change.size)
      contentAt(state, change.path).copy(content)
      files.set(fileAt(state, change.path), content)
      break
    }
    case 'link':
      paths.set(change.to, fileAt(state, change.from))
      break
    case 'mkdir':
      paths.set(change.path, 'folder')
      break
    case 'unlink':
    case 'rmdir':
      paths.delete(change.path)
      break
    case 'rename':
      // Two names of one file: nothing is done, says rename(2).
      if (typeof paths.get(change.from) === 'number' && paths.get(change.from) === paths.get(change.to)) break
      paths.delete(change.to)
      for (const [path, target] of state.paths) {
        const place = moved(path, change.from, change.to)
        if (place === undefined) continue
        paths.delete(path)
        paths.set(place, target)
      }
      break
    case 'exchange':
      paths.clear()
      for (const [path, target] of state.paths) {
        const { from, to } = change
        paths.set(moved(path, from, to) ?? moved(path, to, from) ?? path, target)
      }
  }
  const named = new Set(paths.values())
  for (const file of files.keys()) if (!named.has(file)) files.delete(file)
  return { paths, files }
}

export function contentAt(state: State, path: string): Buffer {
  return state.files.get(fileAt(state, path)) as Buffer
}

/** All of a state as lines, the same for the same trees whatever the numbers of their files. */
export function textOf({ paths, files }: State): string {
  const firstPaths = new Map<number, string>()
  const names = Map.groupBy(paths.values(), (target) => target)
  const lines = [...paths.keys()].sort().map((path) => {
    const target = paths.get(path) as Target
    if (target === 'folder') return `${path}/`
    const first = firstPaths.get(target) ?? path
    firstPaths.set(target, first)
    const content = files.get(target) as Buffer
    return `${path} = ${first}, ${names.get(target)?.length} names, ${content.length} bytes ${sha256(content)}`
  })
  return lines.join('\n')
}

/** Whether `found` has what a write that was broken off may leave: some of its first bytes. */
export function isPartOfWrite(before: State, change: Change, found: State): boolean {
  if (change.kind !== 'write' || typeof found.paths.get(change.path) !== 'number') return false
  const content = contentAt(found, change.path)
  const there = content.subarray(change.offset, change.offset + change.bytes.length)
  let length = 0
  while (length < there.length && there[length] === change.bytes[length]) length++
  const part = { ...change, bytes: change.bytes.subarray(0, length) }
  return textOf(changed(before, part)) === textOf(found)
}

/** What differs, for people. */
export function differenceOf(expected: State, found: State): string {
  const [before, after] = [expected, found].map((state) => new Set(textOf(state).split('\n')))
  const missing = [...(before ?? [])].filter((line) => !after?.has(line)).map((line) => `- ${line}`)
  const surplus = [...(after ?? [])].filter((line) => !before?.has(line)).map((line) => `+ ${line}`)
  return [...missing, ...surplus].join('\n')
}

function fileAt({ paths }: State, path: string): number {
  return paths.get(path) as number
}

function written(content: Buffer, { offset, bytes }: Extract<Change, { kind: 'write' }>): Buffer {
  const end = bytes.length === 0 ? 0 : offset + bytes.length
  const result = Buffer.alloc(Math.max(content.length, end))
  content.copy(result)
  bytes.copy(result, offset)
  return result
}

/** `path` when what was at `from` is at `to`; undefined for what is not below it. */
function moved(path: string, from: string, to: string): string | undefined {
  return path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : undefined
}

const digests = new WeakMap<Buffer, string>()

function sha256(bytes: Buffer): string {
  let digest = digests.get(bytes)
  if (digest === undefined) {
    digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    digests.set(bytes, digest)
  }
  return digest
}
