import { realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { codeOf } from '../../base/errors.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { replaceFile } from '../../base/replace-file.ts'
import { systemReason } from '../../base/system-reason.ts'
import { DestinationError } from '../errors.ts'
import { addTable, editTable, type FieldChanges, removeTable } from './edit-text.ts'
import { readKeysFile } from './keys-file.ts'
import { overlaps } from './overlaps.ts'
import { parseToml } from './parse-toml.ts'
import { type ReadFile, readWithStats, unreadable } from './private-file.ts'
import { type ProblemFormat, refuseProblems } from './problem.ts'
import { parseSettings, type SettingsReader } from './read-settings.ts'

type FileOwner = Pick<ReadFile['stats'], 'mode' | 'uid' | 'gid'>

/** A settings file to edit, as it was when it was opened. It may have problems, which an edit is there to solve. */
export interface EditableSettings {
  readonly file: string
  readonly text: string
  readonly owner: FileOwner
  /** By name, as written. */
  readonly tables: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** A file that is not there yet is empty. Throws `bad-settings` when it cannot be understood. */
export function openEditable(file: string): EditableSettings {
  const { text, stats } = contentOf(file)
  const toml = parseToml(text)
  if ('problem' in toml) throw new DestinationError('bad-settings', `${file}: ${toml.problem}`)
  const tables = Object.entries(toml.table).filter(([, table]) => typeof table === 'object')
  return { file, text, owner: stats, tables: Object.fromEntries(tables) as EditableSettings['tables'] }
}

function contentOf(file: string): Pick<ReadFile, 'text'> & { readonly stats: FileOwner } {
  try {
    return readWithStats(file)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw unreadable(file, error)
    return {
      text: '',
      stats: { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    }
  }
}

/**
 * Adds a destination, or changes the fields of one. Throws `bad-settings`, and writes nothing, when it would be wrong; `format` makes a line of each problem. A file of
 * keys that is named must be there and hold keys, as whoever names it is there to mend it.
 */
export function saveDestination(
  settings: EditableSettings,
  name: string,
  changes: FieldChanges,
  reader: SettingsReader,
  format?: ProblemFormat,
): void {
  const isNew = !Object.hasOwn(settings.tables, name)
  const text = (isNew ? addTable : editTable)(settings.text, name, changes)
  refuseProblems(problemsOf(settings, name, text, reader), format)
  const { keys_file } = changes
  if (typeof keys_file === 'string') readKeysFile(resolve(dirname(settings.file), keys_file), reader.ownUid)
  write(settings, text)
}

export function removeDestination(settings: EditableSettings, name: string): void {
  write(settings, removeTable(settings.text, name))
}

/** Those of the file as a whole and of this destination: others do not stand in its way. */
function problemsOf(
  { file, owner }: EditableSettings,
  name: string,
  text: string,
  reader: SettingsReader,
): ReturnType<typeof overlaps> {
  const { destinations, problems } = parseSettings(file, { text, stats: owner }, reader)
  // The last is the one that is told of.
  const last = destinations.filter((destination) => destination.name === name)
  const others = destinations.filter((destination) => destination.name !== name)
  return [...problems, ...overlaps([...others, ...last])].filter(
    ({ destination, field }) => destination === name || (destination === undefined && field === undefined),
  )
}

function write({ file, owner }: EditableSettings, text: string): void {
  try {
    makeFolder(dirname(file))
    replaceFile(realPathOf(file), text, owner)
  } catch (error) {
    throw new DestinationError('bad-settings', `${file}: cannot be written: ${systemReason(error)}`, {
      cause: error,
    })
  }
}

/** A link to a settings file stays one. */
function realPathOf(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}
