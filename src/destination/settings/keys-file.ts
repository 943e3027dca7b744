import { didYouMean } from '../../base/did-you-mean.ts'
import { Secret } from '../../base/secret.ts'
import type { Credentials } from '../credentials.ts'
import { DestinationError } from '../errors.ts'
import { keyFields, problemOfValue } from './fields.ts'
import { parseToml } from './parse-toml.ts'
import { type ReadFile, readWithStats, unreadable, whyNotPrivate } from './private-file.ts'
import { refuseProblems, type SettingsProblem } from './problem.ts'

/** Reads a file of keys: TOML with `access_key`, `secret_key` and, if need be, `session_token`. Throws `bad-settings`. */
export function readKeysFile(path: string, ownUid: number): Credentials {
  const { text, stats } = contentOf(path)
  const exposed = whyNotPrivate(path, stats, ownUid)
  if (exposed !== undefined) refuseProblems([{ file: path, text: exposed }])
  const toml = parseToml(text)
  if ('problem' in toml) throw new DestinationError('bad-settings', `${path}: ${toml.problem}`)
  refuseProblems(problemsOf(path, toml.table))
  const { access_key, secret_key, session_token } = toml.table as Record<string, string>
  return {
    accessKey: new Secret(access_key as string),
    secretKey: new Secret(secret_key as string),
    sessionToken: session_token === undefined ? undefined : new Secret(session_token),
  }
}

function contentOf(path: string): ReadFile {
  try {
    return readWithStats(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

function problemsOf(file: string, table: Readonly<Record<string, unknown>>): SettingsProblem[] {
  const missing = (['access_key', 'secret_key'] as const)
    .filter((field) => !Object.hasOwn(table, field))
    .map((field) => ({ file, field, text: 'is missing: a file of keys has access_key and secret_key' }))
  const wrong = Object.entries(table).flatMap(([field, value]) => {
    const known = keyFields.find((name) => name === field)
    const text =
      known === undefined
        ? `is no key${didYouMean(field, keyFields)}: it must be one of ${keyFields.join(', ')}`
        : problemOfValue(known, value)
    return text === undefined ? [] : [{ file, field, text }]
  })
  return [...missing, ...wrong]
}
