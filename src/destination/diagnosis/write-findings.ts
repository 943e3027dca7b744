import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import type { ObjectKey, ObjectStore } from '../../store/object-store.ts'
import type { Destination } from '../parse-destination.ts'
import { trialKey } from '../trial-store.ts'
import { findingOf } from './causes.ts'
import { bad, doubtful, type Finding, good, untried } from './finding.ts'

const content = Buffer.from('Written by `jbfs destination test`, and removed at once.\n')

/** Writes an object of its own, reads it, tries conditions on it, and removes it. */
export async function* writeFindings(
  store: ObjectStore,
  destination: Destination,
  options: Abortable,
): AsyncIterable<Finding> {
  const key = trialKey()
  try {
    await store.put(key, content, options)
  } catch (error) {
    yield writeFault(error, destination)
    yield untried('conditions')
    return
  }
  const conditions = await conditionsFinding(store, key, options)
  const read = (await store.get(key, options))?.bytes
  const left = await removalProblem(store, key, options)
  if (left !== undefined)
    yield bad(
      'write',
      `what was written cannot be removed: ${left}`,
      'give the keys the permission s3:DeleteObject',
    )
  else if (read?.equals(content)) yield good('write', 'written, read back and removed')
  else
    yield bad('write', 'what was written does not read back the same', 'do not trust this store with backups')
  yield conditions
}

function writeFault(error: unknown, destination: Destination): Finding {
  const isRefused = error instanceof StoreError && error.code === 'access-denied'
  if (!isRefused) return { ...findingOf(error, destination), check: 'write' }
  const advice =
    destination.kind === 'directory'
      ? 'give the user who runs jbfs the right to write there, or mount with --read-only'
      : 'give the keys the permissions s3:PutObject and s3:DeleteObject, or set read_only'
  return bad('write', 'not allowed', advice)
}

async function conditionsFinding(store: ObjectStore, key: ObjectKey, options: Abortable): Promise<Finding> {
  const isKept = async (condition: { ifNoneMatch: '*' } | { ifMatch: string }): Promise<boolean> => {
    try {
      await store.put(key, content, { ...condition, ...options })
      return false
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return error.code === 'exists' || error.code === 'changed'
    }
  }
  const isGood = (await isKept({ ifNoneMatch: '*' })) && (await isKept({ ifMatch: '"0"' }))
  return isGood
    ? good('conditions', 'If-None-Match and If-Match are honoured: two writers cannot get in at once')
    : doubtful(
        'conditions',
        'not honoured: two writers who begin in the same moment are not kept apart for certain',
        'let only one server write to this directory',
      )
}

async function removalProblem(
  store: ObjectStore,
  key: ObjectKey,
  options: Abortable,
): Promise<string | undefined> {
  try {
    await store.delete([key], options)
    return undefined
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return error.message
  }
}
