import { accessSync, constants } from 'node:fs'
import { systemReason } from '../../base/system-reason.ts'
import { DestinationError } from '../errors.ts'
import type { S3Destination, StoreOptions } from '../parse-destination.ts'
import type { DestinationSettings } from './destination-settings.ts'
import { readKeysFile } from './keys-file.ts'
import { refuseProblems } from './problem.ts'

/** What may be said otherwise for one command. */
export type StoreOverrides = Partial<Pick<StoreOptions, 'httpRetries' | 'maxConcurrency'>>

export interface NamingOptions {
  readonly overrides: StoreOverrides
  /** Whose files of keys are trusted beside root's. */
  readonly ownUid: number
}

/** The first part of `name/path`; undefined for a text that cannot begin with the name of a destination. */
export function nameIn(text: string): string | undefined {
  return /^([A-Za-z0-9][A-Za-z0-9_-]*)(\/|$)/.exec(text)?.[1]
}

/** The destination that `name` or `name/path/below` names. Reads the file of keys, if there is one. */
export function namedDestination(
  text: string,
  settings: DestinationSettings,
  { overrides, ownUid }: NamingOptions,
): S3Destination {
  const { name, vendor, owner, readOnly, bucket, backupDirectory, keysFile, indexMapping, store } = settings
  const below = text.slice(name.length).split('/').filter(Boolean)
  if (below.some((part) => part === '.' || part === '..'))
    throw new DestinationError(
      'bad-destination',
      `${JSON.stringify(text)} has . or .. in its path: say what lies below ${name}`,
    )
  refuseMissing(settings)
  const credentials = keysFile === undefined ? store.credentials : readKeysFile(keysFile, ownUid)
  return {
    kind: 's3',
    bucket,
    prefix: [...(backupDirectory === '' ? [] : [backupDirectory]), ...below].join('/'),
    named: { name, vendor: vendor.id, owner, readOnly, backupDirectory, keysFile, indexMapping },
    store: { ...store, ...overrides, credentials },
  }
}

/** Here and not when settings are read: a file that one destination lacks is nothing to another. */
function refuseMissing({ name, file, store: { caFile } }: DestinationSettings): void {
  if (caFile === undefined) return
  try {
    accessSync(caFile, constants.R_OK)
  } catch (error) {
    refuseProblems([
      { file, destination: name, field: 'ca_file', text: `cannot be read: ${systemReason(error)}` },
    ])
  }
}
