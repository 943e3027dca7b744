import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Destination } from '../destination/parse-destination.ts'
import { CliError } from './errors.ts'

/**
 * Throws `usage` when AWS_PROFILE names a profile that no file of the AWS tools has: the SDK would try all else there is, and say only
 * that there are no keys. Keys of the settings need no profile.
 */
export function refuseMissingProfile(
  { kind, store }: Destination,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const profile = env.AWS_PROFILE
  // `default` need not be anywhere.
  if (kind !== 's3' || store.credentials !== undefined || !profile || profile === 'default') return
  const folder = join(env.HOME || homedir(), '.aws')
  const config = env.AWS_CONFIG_FILE || join(folder, 'config')
  const credentials = env.AWS_SHARED_CREDENTIALS_FILE || join(folder, 'credentials')
  if (hasProfile(config, profile) || hasProfile(credentials, profile)) return
  throw new CliError(
    'usage',
    `AWS_PROFILE is ${JSON.stringify(profile)}, but neither ${config} nor ${credentials} has such a profile`,
  )
}

/** `[name]`, or `[profile name]` in the configuration; the name may stand in quotes. */
function hasProfile(file: string, profile: string): boolean {
  return textOf(file)
    .split('\n')
    .some((line) => {
      const section = /^\s*\[\s*(?:profile\s+)?(.+?)\s*\]/.exec(line)?.[1]
      return section?.replaceAll(/^(["'])(.*)\1$/g, '$2') === profile
    })
}

/** A file that cannot be read has no profile, as for the AWS tools. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
