import { randomBytes } from 'node:crypto'
import type { DestinationSettings } from '../../../src/destination/settings/destination-settings.ts'
import { formatProblem } from '../../../src/destination/settings/problem.ts'
import { parseSettings, type SettingsReader } from '../../../src/destination/settings/read-settings.ts'

export const file = '/etc/jbfs/destinations.toml'
export const reader: SettingsReader = { hostName: 'web7.example.com', ownUid: 1000 }

export const randomKey = (): string => randomBytes(16).toString('hex')

/** Parses a file that nobody else can read, with the given content. */
export function parsed(text: string): {
  readonly destinations: readonly DestinationSettings[]
  readonly lines: readonly string[]
} {
  const { destinations, problems } = parseSettings(file, { text, stats: { uid: 1000, mode: 0o600 } }, reader)
  return { destinations, lines: problems.map(formatProblem) }
}

/** The lines about `[offsite]` with these fields beside, or in place of, those that it needs; without what stands before them. */
export function complaints(fields: string): readonly string[] {
  const own = fields.split('\n').map((line) => line.split('=')[0]?.trim())
  const needed = ['vendor = "amazon"', 'bucket = "backups-7"', 'backup_directory = "/web"'].filter(
    (line) => !own.includes(line.split(' ')[0]),
  )
  const { lines } = parsed(`[offsite]\n${[...needed, fields].join('\n')}\n`)
  return lines.map((line) => line.replace(`${file}: [offsite] `, ''))
}
