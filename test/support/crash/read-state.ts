import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { State, Target } from './model.ts'

/** What a mounted snapshot holds, read through the kernel. Throws when what is there cannot be told from itself: a size that is not that of the bytes, say. */
export async function readState(root: string): Promise<State> {
  const paths = new Map<string, Target>()
  const files = new Map<number, Buffer>()
  const links = new Map<number, number>()
  const visit = async (folder: string): Promise<void> => {
    for (const name of await readdir(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`
      // The manifest, which jbfs shows and the workload never makes.
      if (path === 'jetbackup.index') continue
      const stats = await lstat(join(root, path))
      if (stats.isDirectory()) {
        paths.set(path, 'folder')
        await visit(path)
        continue
      }
      paths.set(path, stats.ino)
      links.set(stats.ino, stats.nlink)
      if (!files.has(stats.ino)) files.set(stats.ino, await readFile(join(root, path)))
      const { length } = files.get(stats.ino) as Buffer
      if (stats.size !== length) throw new Error(`${path} has ${length} bytes, and stat says ${stats.size}`)
    }
  }
  await visit('')
  const names = Map.groupBy(paths.values(), (target) => target)
  for (const [file, nlink] of links)
    if (names.get(file)?.length !== nlink)
      throw new Error(`inode ${file} has ${names.get(file)?.length} names, and stat says ${nlink}`)
  return { paths, files }
}
