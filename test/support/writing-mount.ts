import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type MountedDestination, mountDestination, temporaryFolder, whyNoMounts } from './mounted.ts'
import { runJbfs, type TextResult } from './run-jbfs.ts'
import { testUnless } from './test-unless.ts'

/** A destination in a folder, mounted for writing, through the kernel. */
export interface WritingMount {
  /** For files of the test. */
  readonly folder: string
  readonly destination: string
  readonly stateDir: string
  readonly mount: MountedDestination
  /** `customer/` of the mount. */
  readonly repository: string
  /** Runs it as whoever mounts does. */
  jbfs(...args: string[]): Promise<TextResult>
  /** Resolves when the daemon has ended, too. */
  umount(): Promise<TextResult>
  /** Mounts it again for writing, as the same server; `path`: by another one. */
  again(path?: string): Promise<MountedDestination>
  /** Mounts it for reading as well, from another server; `customer/` of that. */
  published<T>(look: (repository: string) => Promise<T>): Promise<T>
}

/** `args`: further ones of `jbfs mount`. */
export function writingTest(
  title: string,
  body: (t: ExecutionContext, mount: WritingMount) => Promise<void>,
  args: readonly string[] = [],
): void {
  testUnless(test.serial, whyNoMounts())(title, async (t) => {
    await using temporary = await temporaryFolder()
    const folder = temporary.path
    const [destination, other] = [join(folder, 'destination'), join(folder, 'other')]
    for (const path of [destination, other]) await mkdir(path)
    const stateDir = join(folder, 'state')
    const env = { HOME: folder }
    const again = (path = destination): Promise<MountedDestination> =>
      mountDestination(folder, path, {
        args: ['--read-write', '--state-dir', stateDir, ...args],
        env,
      })
    await using mount = await again()
    const repository = join(mount.path, 'customer')
    await mkdir(repository)
    const jbfs = (...typed: string[]): Promise<TextResult> => runJbfs(typed, { env })
    await body(t, {
      folder,
      destination,
      stateDir,
      mount,
      repository,
      jbfs,
      umount: async () => {
        const result = await jbfs('umount', mount.path)
        await mount.ended
        return result
      },
      again,
      published: async (look) => {
        await using reading = await mountDestination(other, destination)
        return await look(join(reading.path, 'customer'))
      },
    })
  })
}
