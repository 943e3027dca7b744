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
    // One that has failed otherwise may have arrived all the same.
    if (!isAccessDenied(error)) await removalProblem(store, key)
    yield writeFault(error, destination)
    yield untried('conditions')
    return
  }
  let conditions: Finding
  let read: Finding
  let left: string | undefined
  try {
    conditions = await conditionsFinding(store, key, options)
    read = await readBackFinding(store, key, options)
  } finally {
    // Also when it is interrupted.
    left = await removalProblem(store, key)
  }
  if (left === undefined) yield read
  else
    yield bad(
      'write',
      `what was written cannot be removed: ${left}`,
      'give the keys the permission s3:DeleteObject',
    )
  yield conditions
}

async function readBackFinding(store: ObjectStore, key: ObjectKey, options: Abortable): Promise<Finding> {
  try {
    const read = (await store.get(key, options))?.bytes
    return read?.equals(content)
      ? good('write', 'written, read back and removed')
      : bad('write', 'what was written does not read back the same', 'do not trust this store with backups')
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const advice = 'try again, and give the keys the permission s3:GetObject if they lack it'
    return bad('write', `what was written cannot be read back: ${error.message}`, advice)
  }
}

function isAccessDenied(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'access-denied'
}

function writeFault(error: unknown, destination: Destination): Finding {
  if (!isAccessDenied(error)) return { ...findingOf(error, destination), check: 'write' }
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
      if (error.code === 'exists' || error.code === 'changed') return true
      if (error.code === 'unsupported' || error.code === 'invalid') return false
      throw error
    }
  }
  let isGood: boolean
  try {
    isGood = (await isKept({ ifNoneMatch: '*' })) && (await isKept({ ifMatch: '"0"' }))
  } catch (error) {
    // A server that fails shows nothing of what it honours.
    if (!(error instanceof StoreError)) throw error
    return untried('conditions', error.message)
  }
  return isGood
    ? good('conditions', 'If-None-Match and If-Match are honoured: two writers cannot get in at once')
    : doubtful(
        'conditions',
        'not honoured: two writers who begin in the same moment are not kept apart for certain',
        'let only one server write to this directory',
      )
}

async function removalProblem(store: ObjectStore, key: ObjectKey): Promise<string | undefined> {
  try {
    await store.delete([key])
    return undefined
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return error.message
  }
}
