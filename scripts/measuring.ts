/** What `bench.ts` and `bench-write.ts` share: the proxy with its latency, what is copied, and the looks at it. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Milliseconds to the first byte. */
export const latency = 30
export const filesPerFolder = 50

/** The proxy in front of the server, in a process of its own. */
export async function startProxy(target: string) {
  const script = join(import.meta.dirname, '../test/support/fault-proxy.ts')
  const child = spawn(process.execPath, [script, '--target', target, '--latency', String(latency)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const endpoint = (await lines.next()).value as string
  return {
    endpoint,
    /** Requests by kind since the start. */
    async counts(): Promise<Record<string, number>> {
      child.stdin.write('\n')
      return JSON.parse((await lines.next()).value as string) as Record<string, number>
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await new Promise((resolve) => child.on('close', resolve))
    },
  }
}

/** Seconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** Files of 1 to 64 KiB, so many in a folder. */
export async function writeSmallFiles(folder: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const inside = join(folder, `folder-${String(Math.floor(i / filesPerFolder)).padStart(3, '0')}`)
    if (i % filesPerFolder === 0) await mkdir(inside, { recursive: true })
    const path = join(inside, `file-${String(i).padStart(5, '0')}`)
    await writeFile(path, randomBytes(1024 * (1 + ((i * 7919) % 64))))
  }
}

/** No two pieces of it are the same. */
export async function writeLarge(path: string, size: number): Promise<void> {
  const piece = randomBytes(16 << 20)
  for (let written = 0; written < size; written += piece.length) {
    piece.writeBigUInt64LE(BigInt(written))
    await appendFile(path, piece.subarray(0, size - written))
  }
}

/** Bytes of resident memory that a process had at most; undefined: it is gone. */
export async function peakOf(pid: number | undefined): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /VmHWM:\s*(\d+)/.exec(text)?.[1]
  return kib === undefined ? undefined : Number(kib) * 1024
}
