import { setImmediate as turn } from 'node:timers/promises'
import type { Abortable } from '../base/abort.ts'
import { snapshotName } from '../destination/layout.ts'
import { validateIndex } from '../snapshot/validate.ts'
import type { IndexTotals } from '../snapshot/write-index.ts'
import { ForeignError } from './errors.ts'
import type { Fault } from './faults.ts'
import { ForeignDatabase, type ForeignLimits } from './foreign-database.ts'
import { MappedIndex } from './mapped-index.ts'
import type { Mapping } from './mapping.ts'
import { rowsSql } from './rows-sql.ts'

export interface MaterialiseOptions {
  /** Of the mapping's databases, unpacked; in its order. */
  readonly databases: readonly string[]
  readonly mapping: Mapping
  /** N of the snapshot. */
  readonly number: number
  /** The index to write; `${path}.rows` is used meanwhile. Neither exists. */
  readonly path: string
  readonly limits?: Partial<ForeignLimits> | undefined
}

/** What became of the rows of a snapshot. */
export interface Materialised {
  /** That the mapping has selected. */
  readonly rows: number
  readonly totals: IndexTotals
  /** Why rows were left out. */
  readonly faults: readonly Fault[]
}

/**
 * Makes the rows of a snapshot an index that `MappedTree` opens. Rejects with `ForeignError`. Blocks for some seconds a million rows, so that a mount has a process of its own for it
 * (`materialiseElsewhere`).
 */
export async function materialise(
  { databases, mapping, number, path, limits }: MaterialiseOptions,
  { onRows, signal }: Abortable & { readonly onRows: (rows: number) => void },
): Promise<Materialised> {
  using index = new MappedIndex(`${path}.rows`, mapping)
  let count = 0
  {
    await using database = await ForeignDatabase.open(databases, limits, { signal })
    const parameters = { number, snapshot: snapshotName(number) }
    for await (const rows of aheadOf(database.query(rowsSql(mapping), { parameters, signal }))) {
      for (const row of rows) index.add(row)
      count += rows.length
      onRows(count)
    }
  }
  const totals = index.write(path)
  const found = validateIndex(path)
  // No row may lead to it: it is a fault of jbfs, and better told of than mounted.
  if (typeof found === 'string')
    throw new ForeignError('bad-database', `the index made of it is not valid: ${found}`)
  index.complete(path, count, totals)
  return { rows: count, totals, faults: index.faults }
}

/** The same batches, each asked for while the one before is worked on. */
async function* aheadOf<T>(batches: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = batches[Symbol.asyncIterator]()
  let next = iterator.next()
  try {
    for (let batch = await next; batch.done !== true; batch = await next) {
      next = iterator.next()
      next.catch(() => {})
      // The request leaves only when this turn of the event loop is over.
      await turn()
      yield batch.value
    }
  } finally {
    await iterator.return?.()
  }
}
