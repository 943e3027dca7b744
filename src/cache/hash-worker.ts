import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'

/** What `HashThread` asks: the next bytes of a stream, its SHA-256 (after the last bytes, if any), or to forget it. */
export interface HashRequest {
  readonly stream: number
  readonly ask: 'update' | 'digest' | 'forget'
  readonly bytes?: Uint8Array
}

/** Each request is answered once, in order; with 32 bytes to `digest`. */
export type HashAnswer = Uint8Array | undefined

const streams = new Map<number, Hash>()

parentPort?.on('message', ({ stream, ask, bytes }: HashRequest) => {
  let hash = streams.get(stream)
  if (hash === undefined) {
    hash = createHash('sha256')
    streams.set(stream, hash)
  }
  if (bytes !== undefined) hash.update(bytes)
  if (ask !== 'update') streams.delete(stream)
  parentPort?.postMessage(ask === 'digest' ? hash.digest() : undefined)
})
