import { rm } from 'node:fs/promises'
import type { Abortable } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { ForeignError } from './errors.ts'
import { keepRecognised } from './foreign-cache.ts'
import { ForeignDatabase } from './foreign-database.ts'
import { profileDatabase, type TableProfile } from './profile.ts'
import { type Suggestion, suggestMapping } from './suggest.ts'
import { type Survey, type SurveyedKey, surveyRepository } from './survey.ts'

export interface InspectOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of its keys. */
  readonly repository: string
  /** N of the snapshot that is asked for; undefined: the newest. */
  readonly number: number | undefined
  /** Databases are kept below it. */
  readonly cacheDir: string
  /** How far the look goes: at the first bytes of each key, at the tables too, or until a mapping is suggested. */
  readonly depth: 'keys' | 'tables' | 'suggestion'
  /** Told of what is being done. */
  readonly onStep?: ((text: string) => void) | undefined
}

export interface InspectedDatabase {
  /** Below the repository. */
  readonly key: string
  readonly tables: readonly TableProfile[]
  readonly suggestion: Suggestion | undefined
  /** Why it cannot be read. */
  readonly problem: string | undefined
}

export interface Inspection extends Pick<InspectOptions, 'repository' | 'depth'> {
  /** N of the snapshot that was looked at; undefined: there is none. */
  readonly number: number | undefined
  readonly survey: Survey
  /** Those of that snapshot, and of all. */
  readonly databases: readonly InspectedDatabase[]
}

/** Milliseconds for each look at a table: the longest takes five seconds of a million rows. */
const longestLook = 30_000

/** Looks at a repository: what each key is, and what is in the databases of one snapshot. Rejects with `IndexCacheError` or `StoreError`. */
export async function inspectRepository(options: InspectOptions): Promise<Inspection> {
  const { store, repository, signal, onStep = () => {} } = options
  onStep(`looking at the keys of ${repository}`)
  const survey = await surveyRepository(store, repository, options)
  const number = options.number ?? survey.numbers.at(-1)
  const databases: InspectedDatabase[] = []
  for (const key of options.depth === 'keys' ? [] : survey.keys) {
    signal?.throwIfAborted()
    if (key.content === 'unknown' || (key.number !== undefined && key.number !== number)) continue
    databases.push(await inspectDatabase(key, number, survey, options))
  }
  return { repository, depth: options.depth, number, survey, databases }
}

async function inspectDatabase(
  object: SurveyedKey,
  number: number | undefined,
  { objects, numbers }: Survey,
  { store, repository, cacheDir, depth, signal, onStep = () => {} }: InspectOptions,
): Promise<InspectedDatabase> {
  const key = object.key.slice(repository.length)
  const empty: InspectedDatabase = { key, tables: [], suggestion: undefined, problem: undefined }
  try {
    onStep(`fetching ${object.key}`)
    const path = await keepRecognised(object, { store, cacheDir, signal })
    await using database = await openKept(path, { signal })
    onStep(`looking at the tables of ${object.key}`)
    const options = { store, objects, signal }
    const tables = await profileDatabase(database, options)
    const suggestion =
      depth === 'suggestion'
        ? await suggestMapping(database, tables, { ...options, key, number, numbers })
        : undefined
    return { ...empty, tables, suggestion }
  } catch (error) {
    if (!(error instanceof ForeignError)) throw error
    return { ...empty, problem: messageOf(error) }
  }
}

/** What is no database need not be kept. */
async function openKept(path: string, options: Abortable): Promise<ForeignDatabase> {
  try {
    return await ForeignDatabase.open(path, { milliseconds: longestLook }, options)
  } catch (error) {
    if (error instanceof ForeignError && error.code === 'bad-database') await rm(path, { force: true })
    throw error
  }
}

/** The likeliest of the mappings that were suggested. */
export function bestSuggestion({ databases }: Inspection): Suggestion | undefined {
  const suggestions = databases
    .map(({ suggestion }) => suggestion)
    .filter((suggestion) => suggestion !== undefined)
  return suggestions.toSorted((a, b) => b.score - a.score)[0]
}
