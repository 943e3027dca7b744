import type { Blob } from './blob-source.ts'

/** By what a blob is known in the cache: two indexes may expect different bytes under one key, of which only one can be right. */
export function blobName({ key, size, sha256, etag, packing }: Blob): string {
  const name = `${key} ${size} ${sha256?.toString('hex') ?? etag ?? ''}`
  return packing === undefined ? name : `${name} ${packing}`
}
