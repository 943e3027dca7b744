import { type Choice, type Proposal, type Proposals, proposal, shareOf } from './column-choice.ts'
import { isSaid } from './column-looks.ts'
import { type Mapping, type ModeUnit, type TimeUnit, usualTypes } from './mapping.ts'
import type { ColumnName } from './mapping-columns.ts'
import type { ObjectNames } from './object-names.ts'
import { proposeMode } from './propose-mode.ts'
import { objectOf, proposeObject } from './propose-object.ts'
import { proposeOwners } from './propose-owners.ts'
import { foldersOf, proposePlace } from './propose-place.ts'
import { proposeSize } from './propose-size.ts'
import { proposeTarget } from './propose-target.ts'
import { proposeCtime, proposeMtime } from './propose-times.ts'
import { proposeType, typesOf } from './propose-type.ts'
import type { SourceColumn, TableSource } from './table-source.ts'

export interface ProposedColumns {
  readonly columns: Proposals
  readonly modeUnit: ModeUnit
  readonly timeUnit: TimeUnit
  readonly types: Mapping['types']
}

/** What the columns of a source mean, as far as it can be told. `telling`: what tells apart snapshots in one table, if anything does. */
export function proposeColumns(
  source: TableSource,
  objects: ObjectNames,
  telling: SourceColumn | undefined,
): ProposedColumns {
  const taken = new Set<string>(telling === undefined ? [] : [telling.name])
  const free = (): readonly SourceColumn[] => source.columns.filter(({ name }) => !taken.has(name))
  /** A column has one meaning: what is taken is not free any more. */
  const take = (...columns: readonly (SourceColumn | undefined)[]): void => {
    for (const column of columns) if (column !== undefined) taken.add(column.name)
  }

  const object = objectOf(free())
  take(object)
  const rowHasObject = source.columns[0]?.values.map((_, row) => isSaid(object?.values[row])) ?? []
  const place = proposePlace(source, free(), { telling, rowHasObject })
  take(...(place?.used ?? []))
  const mode = proposeMode(free())
  take(mode?.column)
  const mtime = proposeMtime(free())
  take(mtime?.column)
  const isGzip =
    source.objects.length > 0 && shareOf(source.objects, ({ container }) => container === 'gzip') > 0.9
  const size = proposeSize(free(), { isGzip })
  take(size?.column)
  const { uid, gid } = proposeOwners(source, free())
  take(uid?.column, gid?.column)
  const ctime = proposeCtime(free(), mtime?.unit)
  const modeHasTypes = mode?.rowTypes.some((type) => type !== 0) === true
  const type = modeHasTypes ? undefined : proposeType(free())
  take(type?.column)
  const target = proposeTarget(free(), rowHasObject, mode?.rowTypes)

  const encoding: Proposal = {
    sql: "'gzip'",
    confidence: 0.95,
    why: `${source.objects.length} objects that were looked at are gzip`,
  }
  return {
    columns: {
      ...place?.columns,
      ...(object && { object: proposeObject(object, objects) }),
      ...(size && { size: proposal(size) }),
      ...(isGzip && { encoding }),
      ...proposalsOf({ mode, mtime, ctime, uid, gid, type, target }),
    },
    modeUnit: mode?.unit ?? 'decimal',
    timeUnit: mtime?.unit ?? 's',
    types:
      type === undefined
        ? usualTypes
        : typesOf(type.column, {
            rowHasObject,
            target: target?.column,
            folders: foldersOf(source, place),
          }),
  }
}

function proposalsOf(choices: { readonly [Name in ColumnName]?: Choice | undefined }): Proposals {
  return Object.fromEntries(
    Object.entries(choices).flatMap(([name, choice]) =>
      choice === undefined ? [] : [[name, proposal(choice)]],
    ),
  )
}
