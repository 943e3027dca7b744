import { execFileSync } from 'node:child_process'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { LayoutTruth } from './layout.ts'

/** Compresses as a destination may have it; xz and bzip2 by the programs of these names. */
export function wrap(bytes: Buffer, container: LayoutTruth['container']): Buffer {
  if (container === 'plain') return bytes
  if (container === 'zstd') return zstdCompressSync(bytes)
  if (container === 'gzip') return gzipSync(bytes)
  return execFileSync(container, ['-c'], { input: bytes, maxBuffer: 1 << 30 })
}
