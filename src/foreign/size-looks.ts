import { type Look, looksOf } from './column-looks.ts'
import type { NamedObject, ObjectNames } from './object-names.ts'
import type { LookedAtObject } from './packed-size.ts'
import type { SampledColumn } from './sampled-rows.ts'

/** Objects that are looked at: each takes two requests when it is packed. */
const lookedAt = 16

/** The column whose values name objects, if one does. */
export function objectColumnOf(
  columns: readonly SampledColumn[],
  objects: ObjectNames,
): { readonly column: SampledColumn; readonly look: Look } | undefined {
  const found = columns.flatMap((column) => {
    const look = looksOf(column.values, objects).find(({ role }) => role === 'object')
    return look === undefined ? [] : [{ column, look }]
  })
  return found.toSorted((a, b) => b.look.share - a.look.share)[0]
}

/** For each row of a sample the object that a column of it names, if it was listed. */
export function objectsOf(
  { values }: SampledColumn,
  objects: ObjectNames,
): readonly (NamedObject | undefined)[] {
  return values.map((value) =>
    value === null || typeof value === 'object' ? undefined : (objects.find(String(value)) ?? undefined),
  )
}

/** Some of them, from all over the sample. */
export function someObjects(named: readonly (NamedObject | undefined)[]): NamedObject[] {
  const distinct = [
    ...new Map(named.filter((object) => object !== undefined).map((object) => [object.key, object])).values(),
  ]
  const step = Math.max(1, Math.ceil(distinct.length / lookedAt))
  return distinct.filter((_, index) => index % step === 0)
}

/**
 * Which columns are the sizes of the objects that stand in the same rows: as they are stored, and as they are unpacked.
 */
export function sizeLooks(
  columns: readonly SampledColumn[],
  named: readonly (NamedObject | undefined)[],
  looked: readonly LookedAtObject[],
): ReadonlyMap<string, Look> {
  const unpacked = new Map(looked.map(({ key, unpackedSize }) => [key, unpackedSize]))
  const looks = new Map<string, Look>()
  for (const { name, values } of columns) {
    const stored = shareOf(values, named, ({ size }) => size)
    const raw = shareOf(values, named, ({ key }) => unpacked.get(key))
    const [share, detail] = raw >= stored ? [raw, 'unpacked'] : [stored, 'stored']
    if (share >= 0.5) looks.set(name, { role: 'size', share, detail })
  }
  return looks
}

function shareOf(
  values: SampledColumn['values'],
  named: readonly (NamedObject | undefined)[],
  sizeOf: (object: NamedObject) => number | undefined,
): number {
  let known = 0
  let same = 0
  for (const [row, object] of named.entries()) {
    const size = object && sizeOf(object)
    if (size === undefined || values[row] === null) continue
    known++
    if (Number(values[row]) === size) same++
  }
  return known === 0 ? 0 : same / known
}
