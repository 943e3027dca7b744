import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { repositoryParts } from '../destination/layout.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'

/** Listings at a time: a destination may hold thousands of accounts, each of them a round trip. */
const listingsAtOnce = 16

/**
 * Folders that are no repository and are looked into: enough for any destination, whose folders are mostly repositories, and few enough
 * that a whole file system or bucket, given by mistake, comes to an end.
 */
const mostFolders = 10_000

export interface FindOptions extends Abortable {
  /** Instead of `mostFolders`. */
  readonly limit?: number | undefined
  /** Told once when `limit` is reached: what lies in folders further down is not found. */
  readonly onLimit: (limit: number) => void
  /** Told of what cannot be read (`lost+found`) and is passed over. */
  readonly onRefusal: (error: StoreError) => void
}

/**
 * The prefixes of all repositories, in byte order. Folders are listed one level at a time with a delimiter; what lies in `files/`,
 * `export/` and `snap.N/` is never looked at. Those nearest to the top are found first, up to `limit`.
 */
export async function findRepositories(
  reader: ObjectReader,
  { signal, onRefusal, onLimit, limit = mostFolders }: FindOptions,
): Promise<string[]> {
  const found: string[] = []
  const places = new Semaphore(listingsAtOnce)

  let others = 0
  const visit = async (prefix: string): Promise<void> => {
    if (others >= limit) return
    const parts = repositoryParts(await inTurn(prefix))
    if (parts.isRepository) found.push(prefix)
    else if (++others === limit) onLimit(limit)
    await Promise.all(parts.folders.map((name) => passingOver(onRefusal, () => visit(`${prefix}${name}/`))))
  }

  const inTurn = async (prefix: string): Promise<string[]> => {
    using _place = await places.acquire({ signal })
    if (others >= limit) return []
    return await foldersIn(reader, prefix, { signal })
  }

  await visit('')
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** Names of the folders directly below a prefix. */
export async function foldersIn(
  reader: ObjectReader,
  prefix: string,
  { signal }: Abortable,
): Promise<string[]> {
  const names: string[] = []
  for await (const page of reader.list(prefix, { delimiter: '/', signal }))
    names.push(...page.prefixes.map((folder) => folder.slice(prefix.length, -1)))
  return names
}

/** Does `work`, and goes on without its result when the store refuses it; a store that fails is another matter. */
export async function passingOver<T>(
  onRefusal: FindOptions['onRefusal'],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StoreError) || error.retryable) throw error
    onRefusal(error)
    return undefined
  }
}
