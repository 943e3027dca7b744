import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { temporaryFolder } from './mounted.ts'
import { output } from './run.ts'

/** What a `MemoryFilesystem` holds in the end; see memory-mount.ts. */
export interface Remains {
  readonly open: number
  readonly left: number
}

export interface MountedMemory {
  readonly path: string
  /** What it could not serve. */
  complaints(): string
  unmount(): Promise<Remains>
}

/** Mounts an empty `MemoryFilesystem` that another process serves. */
export async function mountMemory(): Promise<MountedMemory> {
  const folder = await temporaryFolder()
  const path = join(folder.path, 'mnt')
  await mkdir(path)
  const daemon = spawn(process.execPath, [join(import.meta.dirname, 'memory-mount.ts'), path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaints = ''
  daemon.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk
  })
  const lines = createInterface({ input: daemon.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the mount failed: ${complaints}`)
    return value
  }
  await next()
  const unmount = async (): Promise<Remains> => {
    await output('umount', ['-c', '-i', path])
    const remains = JSON.parse(await next())
    await folder[Symbol.asyncDispose]()
    return remains
  }
  return { path, complaints: () => complaints, unmount }
}
