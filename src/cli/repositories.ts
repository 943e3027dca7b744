import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { repositoryParts } from '../destination/layout.ts'
import type { ObjectReader } from '../store/object-store.ts'

/** Listings at a time: a destination may hold thousands of accounts, each of them a round trip. */
const listingsAtOnce = 16

/**
 * The prefixes of all repositories, in byte order. Folders are listed one level at a time with a delimiter; what lies in `files/`,
 * `export/` and `snap.N/` is never looked at.
 */
export async function findRepositories(reader: ObjectReader, { signal }: Abortable): Promise<string[]> {
  const found: string[] = []
  const places = new Semaphore(listingsAtOnce)

  const visit = async (prefix: string): Promise<void> => {
    const parts = repositoryParts(await foldersIn(prefix))
    if (parts.isRepository) found.push(prefix)
    await Promise.all(parts.folders.map((name) => visit(`${prefix}${name}/`)))
  }

  const foldersIn = async (prefix: string): Promise<string[]> => {
    using _place = await places.acquire({ signal })
    const names: string[] = []
    for await (const page of reader.list(prefix, { delimiter: '/', signal }))
      names.push(...page.prefixes.map((folder) => folder.slice(prefix.length, -1)))
    return names
  }

  await visit('')
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
