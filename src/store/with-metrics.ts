import { codeOf } from '../base/errors.ts'
import { StoreError } from './errors.ts'
import {
  eachPartRequest,
  type ObjectReader,
  type ObjectStore,
  type PartStore,
  type PutOptions,
} from './object-store.ts'

/**
 * What the store was asked for, by kind, since it was opened. Of an upload by parts each part, its beginning and its end are a put, and giving it up is a delete; an object
 * that the store itself sends in parts is one put.
 */
export interface StoreMetrics {
  get: number
  head: number
  list: number
  put: number
  delete: number
  bytesIn: number
  bytesOut: number
  /** Requests tried again. */
  retries: number
  /** By `StoreError` code. What a put is told of its own condition is an answer: who asks may look for nothing else. */
  readonly errors: Record<string, number>
}

export function createMetrics(): StoreMetrics {
  return { get: 0, head: 0, list: 0, put: 0, delete: 0, bytesIn: 0, bytesOut: 0, retries: 0, errors: {} }
}

/** The same store, counting. */
export function withMetrics<S extends ObjectReader | ObjectStore>(store: S, metrics: StoreMetrics): S {
  const failed = (error: unknown): never => {
    if (error instanceof StoreError) metrics.errors[error.code] = (metrics.errors[error.code] ?? 0) + 1
    throw error
  }
  async function* arriving(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    try {
      for await (const piece of body) {
        metrics.bytesIn += piece.length
        yield piece
      }
    } catch (error) {
      failed(error)
    }
  }
  const counting: ObjectReader = {
    description: store.description,
    async get(key, options) {
      metrics.get++
      const body = await store.get(key, options).catch(failed)
      metrics.bytesIn += body?.bytes.length ?? 0
      return body
    },
    async getStream(key, options) {
      metrics.get++
      const stream = await store.getStream(key, options).catch(failed)
      return stream && { ...stream, body: arriving(stream.body) }
    },
    head(key, options) {
      metrics.head++
      return store.head(key, options).catch(failed)
    },
    async *list(prefix, options) {
      try {
        for await (const page of store.list(prefix, options)) {
          metrics.list++
          yield page
        }
      } catch (error) {
        metrics.list++
        failed(error)
      }
    },
  }
  if (!('put' in store)) return counting as S
  const partsAs = (kind: 'put' | 'delete'): PartStore =>
    eachPartRequest(store.parts, (request, options) => {
      metrics[kind]++
      return request(options).catch(failed)
    })
  const parts = partsAs('put')
  const writing: ObjectStore = {
    ...counting,
    async put(key, body, options) {
      metrics.put++
      const metadata = await store.put(key, body, options).catch((error: unknown) => {
        if (isUnmet(error, options)) throw error
        return failed(error)
      })
      metrics.bytesOut += metadata.size
      return metadata
    },
    parts: {
      ...parts,
      async put(key, upload, part, options) {
        const sent = await parts.put(key, upload, part, options)
        metrics.bytesOut += part.bytes.length
        return sent
      },
      abandon: partsAs('delete').abandon,
    },
    delete(keys, options) {
      metrics.delete++
      return store.delete(keys, options).catch(failed)
    },
  }
  return writing as S
}

function isUnmet(error: unknown, { ifNoneMatch, ifMatch }: PutOptions = {}): boolean {
  const code = codeOf(error)
  return (ifNoneMatch !== undefined && code === 'exists') || (ifMatch !== undefined && code === 'changed')
}
