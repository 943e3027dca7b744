import { codeOf } from '../../base/errors.ts'
import type { DestinationSettings } from './destination-settings.ts'
import { overlaps } from './overlaps.ts'
import { parseTable, type TableContext } from './parse-table.ts'
import { parseToml } from './parse-toml.ts'
import { type ReadFile, readWithStats, unreadable, whyNotPrivate } from './private-file.ts'
import { refuseProblems, type SettingsProblem } from './problem.ts'

/** A file to read settings from. */
export interface SettingsFile {
  /** Absolute. */
  readonly path: string
  /** What the system may say to it (`ENOENT`, `EACCES`) for it to be passed over. */
  readonly passedOver: readonly string[]
}

export interface SettingsReader extends Pick<TableContext, 'hostName'> {
  /** Whose files are trusted beside root's. */
  readonly ownUid: number
}

/** By name. */
export type Settings = ReadonlyMap<string, DestinationSettings>

/** Reads settings; of destinations of one name the first file's counts. Throws `bad-settings` with a line for each problem of all files. */
export function readSettings(files: readonly SettingsFile[], reader: SettingsReader): Settings {
  const settings = new Map<string, DestinationSettings>()
  const problems: SettingsProblem[] = []
  for (const file of files) {
    const content = contentOf(file)
    if (content === undefined) continue
    const parsed = parseSettings(file.path, content, reader)
    problems.push(...parsed.problems)
    for (const destination of parsed.destinations)
      if (!settings.has(destination.name)) settings.set(destination.name, destination)
  }
  problems.push(...overlaps([...settings.values()]))
  refuseProblems(problems)
  return settings
}

function contentOf({ path, passedOver }: SettingsFile): ReadFile | undefined {
  try {
    return readWithStats(path)
  } catch (error) {
    if (passedOver.includes(codeOf(error) ?? '')) return undefined
    throw unreadable(path, error)
  }
}

export interface ParsedSettings {
  /** Those without problems. */
  readonly destinations: readonly DestinationSettings[]
  readonly problems: readonly SettingsProblem[]
}

/** Checks the content of one file. */
export function parseSettings(
  file: string,
  { text, stats }: Pick<ReadFile, 'text'> & { readonly stats: Pick<ReadFile['stats'], 'uid' | 'mode'> },
  { hostName, ownUid }: SettingsReader,
): ParsedSettings {
  const toml = parseToml(text)
  const table = 'table' in toml ? toml.table : {}
  const exposed = whyNotPrivate(file, stats, ownUid)
  const problems: SettingsProblem[] = exposed === undefined ? [] : [{ file, text: exposed }]
  if ('problem' in toml) problems.push({ file, text: toml.problem })
  const tables = Object.entries(table).map(([name, content]) => parseTable(name, content, { file, hostName }))
  return {
    destinations: tables.flatMap(({ settings }) => settings ?? []),
    problems: [...problems, ...tables.flatMap((parsed) => parsed.problems)],
  }
}
