import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import type { Abortable } from '../base/abort.ts'
import { formatByteSize } from '../base/byte-size.ts'
import type { Container } from '../base/container.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import { ForeignError } from './errors.ts'

export interface UnpackOptions extends Abortable {
  /** Bytes. */
  readonly limit: number
}

/** Bytes that an unpacker may hold: `xz -9` needs 65 MiB, and zstd's largest window that need not be asked for is 128 MiB. */
const largestWindowLog = 27
const xzMemory = 128 << 20

/** Bytes at a time: with the 16 KiB of zlib's default large databases take twice the time. */
const chunkSize = 1 << 20

/** Node.js has neither of these, and every Linux has both. */
const programs = {
  xz: ['--decompress', '--stdout', '--quiet', `--memlimit-decompress=${xzMemory}`],
  bzip2: ['--decompress', '--stdout', '--quiet'],
} as const

/**
 * The bytes that `source` is packed of. Rejects with `ForeignError` (`bad-packing`, `unpack-limit`, `no-unpacker`) or what `source` throws; whoever leaves early ends it.
 */
export async function* unpacked(
  container: Container,
  source: AsyncIterable<Buffer>,
  { limit, signal }: UnpackOptions,
): AsyncIterable<Buffer> {
  let length = 0
  for await (const chunk of streamOf(container, source, { signal })) {
    length += chunk.length
    if (length > limit)
      throw new ForeignError('unpack-limit', `it unpacks to more than ${formatByteSize(limit)}`)
    yield chunk
  }
}

function streamOf(
  container: Container,
  source: AsyncIterable<Buffer>,
  options: Abortable,
): AsyncIterable<Buffer> {
  switch (container) {
    case 'plain':
      return source
    case 'gzip':
      return throughStream(source, createGunzip({ chunkSize }))
    case 'zstd':
      return throughStream(
        source,
        createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: largestWindowLog } }),
      )
    default:
      return throughProgram(source, container, options)
  }
}

async function* throughStream(
  source: AsyncIterable<Buffer>,
  unpacker: NodeJS.ReadWriteStream & AsyncIterable<unknown>,
): AsyncIterable<Buffer> {
  let failure: unknown
  const piped = pipeline(
    remembering(source, (error) => (failure = error)),
    unpacker,
  ).catch(() => {})
  try {
    for await (const chunk of unpacker) yield chunk as Buffer
  } catch (error) {
    throw failure ?? damaged(messageOf(error), error)
  } finally {
    await piped
  }
}

async function* throughProgram(
  source: AsyncIterable<Buffer>,
  program: keyof typeof programs,
  { signal }: Abortable,
): AsyncIterable<Buffer> {
  const child = spawn(program, programs[program], {
    env: { PATH: process.env.PATH ?? '' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const end = once(child, 'close').catch((error: unknown) => error)
  const kill = (): void => void child.kill('SIGKILL')
  signal?.addEventListener('abort', kill, { once: true })
  process.once('exit', kill)
  let failure: unknown
  let remark = ''
  child.stderr.on('data', (chunk: Buffer) => (remark = `${remark}${chunk}`.slice(0, 500)))
  // What the program has read enough of is no fault of the source.
  const piped = pipeline(Readable.from(remembering(source, (error) => (failure = error))), child.stdin).catch(
    () => {},
  )
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer
    const ended = await end
    await piped
    signal?.throwIfAborted()
    if (failure !== undefined) throw failure
    if (codeOf(ended) === 'ENOENT')
      throw new ForeignError('no-unpacker', `it is packed by ${program}, which is not installed`)
    const isWhole = Array.isArray(ended) && ended[0] === 0
    if (!isWhole) throw damaged(remark.split('\n')[0]?.trim() || `${program} has failed`, ended)
  } finally {
    kill()
    signal?.removeEventListener('abort', kill)
    process.off('exit', kill)
    child.stdin.destroy()
    await piped
  }
}

/** What a source throws reaches whoever reads it only through the streams that stand between, which make something else of it. */
async function* remembering(
  source: AsyncIterable<Buffer>,
  onError: (error: unknown) => void,
): AsyncIterable<Buffer> {
  try {
    yield* source
  } catch (error) {
    onError(error)
    throw error
  }
}

function damaged(reason: string, cause: unknown): ForeignError {
  return new ForeignError('bad-packing', `it cannot be unpacked (${reason})`, { cause })
}
