import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ForeignLayout, ForeignObject } from './layout.ts'
import { makeSource } from './make-source.ts'
import { account } from './manifest.ts'
import { readSourceTree } from './source-tree.ts'

/** Where the one repository of a foreign destination is: `<job>/<account>/`. */
export const foreignRepository = `jetbackup_1_1_5f3e6c1ba7d4e80012345678/${account}/`

/** Numbers of the snapshots, from the older one. */
export const foreignSnapshots = [3, 4] as const

/** Where the source of a snapshot is. */
export function sourceOf(folder: string, number: number): string {
  return join(folder, `source-${number}`)
}

/**
 * Makes the sources of two snapshots in `folder` (`sourceOf`), and everything that a destination of this layout holds of them. The same each time, to the byte.
 */
export function foreignObjects(layout: ForeignLayout, folder: string): ForeignObject[] {
  const { milliseconds, anyName } = layout.keeps
  const snapshots = foreignSnapshots.map((number, day) => {
    const source = sourceOf(folder, number)
    makeSource(source, { milliseconds, anyName, day })
    return { number, created: 1_660_000_000 + 86_400 * day, entries: readSourceTree(source) }
  })
  return layout.write(snapshots).map(({ key, bytes }) => ({ key: foreignRepository + key, bytes }))
}

/** As files, for a destination that is a folder. */
export function writeObjects(destination: string, objects: readonly ForeignObject[]): void {
  for (const { key, bytes } of objects) {
    const path = join(destination, key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
}
