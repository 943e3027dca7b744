import { readdir, readlink } from 'node:fs/promises'

/** Files below `folder` that this process has open. */
export async function openFiles(folder: string): Promise<string[]> {
  const paths = await Promise.all(
    // That of the listing itself is closed by now.
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  return paths.filter((path) => path.startsWith(`${folder}/`))
}
