import { copyFile, mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { output, run } from './run.ts'

/** A disk that can lose its power. */
export interface CutDisk extends AsyncDisposable {
  readonly path: string
  /** What is on it by now, and not in the system's memory only, is kept for `restore`. */
  cut(): Promise<void>
  /** Nobody may use it: from now on it is what it was at the cut. */
  restore(): Promise<void>
}

const bytes = 64 << 20

/** An ext4 file system below `folder`, which writes to its disk only what somebody waits for, for minutes. */
export async function prepareCutDisk(folder: string): Promise<CutDisk> {
  const [path, image, kept] = ['disk', 'image', 'kept-image'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  await mkdir(path)
  await writeFile(image, '')
  await truncate(image, bytes)
  await output('mkfs.ext4', ['-q', '-F', image])
  const mount = async (from: string): Promise<void> =>
    void (await output('mount', ['-o', 'loop,commit=600', from, path]))
  await mount(image)
  return {
    path,
    cut: () => copyFile(image, kept),
    async restore() {
      await output('umount', [path])
      await mount(kept)
    },
    async [Symbol.asyncDispose]() {
      await run('umount', ['-l', path])
    },
  }
}
