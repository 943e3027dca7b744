import type { Abortable } from '../base/abort.ts'
import { StoreError } from '../store/errors.ts'
import { type ObjectReader, objectKey } from '../store/object-store.ts'
import { DestinationError } from './errors.ts'
import { ownerKey, repositoryParts } from './layout.ts'
import { type Owner, parseOwner } from './owner-record.ts'
import { ownerText } from './ownership.ts'

/** Pages of listings: a destination may hold thousands of accounts, and this only tells what is well to know. */
const mostPages = 64
/** Folders inside each other that are looked into. */
const deepest = 3
/** Of a message. */
const mostNames = 10

/** What lies in a backup directory and belongs to others: it stays theirs, whoever owns what is around it. */
export interface OwnersBelow {
  /** `path (owner)`, in byte order of the paths. */
  readonly folders: readonly string[]
  /** false: there may be others that were not looked for. */
  readonly isComplete: boolean
}

/** Looks for folders in a backup directory that have an owner of their own, other than `self`. What cannot be listed is passed over. */
export async function ownersBelow(
  reader: ObjectReader,
  self: Owner,
  { signal }: Abortable,
): Promise<OwnersBelow> {
  const owned: string[] = []
  let pages = 0
  let isComplete = true
  const isEnough = (): boolean => {
    if (pages++ < mostPages) return false
    isComplete = false
    return true
  }

  /** The folders in it that may have an owner. */
  const look = async (folder: string): Promise<string[]> => {
    const names: string[] = []
    if (isEnough()) return names
    let isFirst = true
    try {
      for await (const { objects, prefixes } of reader.list(folder, { delimiter: '/', signal })) {
        if (!isFirst && isEnough()) break
        isFirst = false
        names.push(...prefixes.map((prefix) => prefix.slice(folder.length, -1)))
        if (folder !== '' && objects.some(({ key }) => key === folder + ownerKey)) owned.push(folder)
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      isComplete = false
    }
    return repositoryParts(names).folders.map((name) => `${folder}${name}/`)
  }

  let level = ['']
  for (let depth = 0; depth <= deepest; depth++) level = (await Promise.all(level.map(look))).flat()
  const found = await Promise.all(owned.map((folder) => otherOwner(reader, folder, self, { signal })))
  return {
    folders: found.filter((text) => text !== undefined).sort(),
    isComplete: isComplete && level.length === 0,
  }
}

/** One line for people; undefined when there is nothing to tell. */
export function ownersBelowText({ folders, isComplete }: OwnersBelow): string | undefined {
  if (folders.length === 0) return undefined
  const more = folders.length - mostNames
  const rest = more > 0 ? [`${more} more`] : []
  const others = isComplete ? '' : '; not every folder was looked into'
  return `these folders in it stay their owners': ${[...folders.slice(0, mostNames), ...rest].join(', ')}${others}`
}

/** undefined: it is this server's own. */
async function otherOwner(
  reader: ObjectReader,
  folder: string,
  self: Owner,
  options: Abortable,
): Promise<string | undefined> {
  const path = folder.slice(0, -1)
  try {
    const body = await reader.get(objectKey(folder + ownerKey), options)
    if (body === undefined) return undefined
    const record = parseOwner(body.bytes, folder + ownerKey)
    return record.owner.id === self.id ? undefined : `${path} (${ownerText({ record })})`
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof DestinationError)) throw error
    return `${path} (unreadable)`
  }
}
