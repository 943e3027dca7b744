import type { ContentStore, OpenContent, StoredContent } from '../snapshot/content-store.ts'
import type { Content } from './content.ts'
import type { GrowingUpload } from './growing-upload.ts'
import type { StagedFile } from './staged-file.ts'

type SentContent = Omit<StoredContent, 'uploaded'>

/** Has the store have a content. Resolves with undefined when it was changed meanwhile. */
export async function sendContent(
  content: Content,
  file: StagedFile,
  store: ContentStore,
  signal: AbortSignal,
): Promise<SentContent | undefined> {
  const { growing } = content
  return growing === undefined
    ? await sendWhole(content, file, store, signal)
    : await sendGrown(growing, file.size, store)
}

async function sendWhole(
  content: Content,
  file: StagedFile,
  store: ContentStore,
  signal: AbortSignal,
): Promise<SentContent | undefined> {
  const { generation } = content
  const ranges = file.ranges()
  if (ranges.length === 0) return { object: undefined, ranges }
  const open: OpenContent = {
    path: file.path,
    ranges,
    read: async (into, offset) => file.readInto(into, offset),
    isUnchanged: async () => content.generation === generation,
    [Symbol.asyncDispose]: async () => {},
  }
  return await store.add(open, signal)
}

/** What the repository has already is not kept twice: then the object is another. */
async function sendGrown(growing: GrowingUpload, size: number, store: ContentStore): Promise<SentContent> {
  const grown = await growing.finish(size)
  const known = await store.find(grown)
  if (known !== undefined) return { object: known, ranges: grown.ranges }
  const object = await growing.complete(grown)
  store.know(object)
  return { object, ranges: grown.ranges }
}
