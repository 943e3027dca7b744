import { setImmediate as turn } from 'node:timers/promises'
import type { Abortable } from '../base/abort.ts'
import { snapshotName } from '../destination/layout.ts'
import { validateIndex } from '../snapshot/validate.ts'
import type { IndexTotals } from '../snapshot/write-index.ts'
import { ForeignError } from './errors.ts'
import type { Fault } from './faults.ts'
import { ForeignDatabase, type ForeignLimits, foreignLimits } from './foreign-database.ts'
import { MappedIndex } from './mapped-index.ts'
import type { Mapping } from './mapping.ts'
import { rowsSql } from './rows-sql.ts'

/** Milliseconds in all. The work on its rows goes on meanwhile, and counts too, so that it is no measure of the query. */
const longestQuery = 600_000

export interface MaterialiseOptions {
  /** Of the mapping's databases, unpacked; in its order. */
  readonly databases: readonly string[]
  readonly mapping: Mapping
  /** N of the snapshot. */
  readonly number: number
  /** The index to write; `${path}.rows` is used meanwhile. Neither exists. */
  readonly path: string
  /** The milliseconds are those without a row: what sorts, or joins without an index, needs some before the first. */
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
    using watch = new Watch(limits?.milliseconds ?? foreignLimits.milliseconds, signal)
    const rowsOf = database.query(rowsSql(mapping), {
      parameters,
      milliseconds: longestQuery,
      signal: watch.signal,
    })
    for await (const rows of aheadOf(rowsOf, watch)) {
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

/** Aborts a query that gives nothing for too long. */
class Watch implements Disposable {
  readonly #stop = new AbortController()
  readonly #milliseconds: number
  readonly #outer: AbortSignal | undefined
  readonly #onAbort = (): void => this.#stop.abort(this.#outer?.reason)

  constructor(milliseconds: number, outer: AbortSignal | undefined) {
    this.#milliseconds = milliseconds
    this.#outer = outer
    outer?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  async over<T>(promise: Promise<T>): Promise<T> {
    const text = `it gives no row for ${this.#milliseconds / 1000} seconds`
    const giveUp = (): void => this.#stop.abort(new ForeignError('query-limit', text))
    const timer = setTimeout(giveUp, this.#milliseconds)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  [Symbol.dispose](): void {
    this.#outer?.removeEventListener('abort', this.#onAbort)
  }
}

/** The same batches, each asked for while the one before is worked on. */
async function* aheadOf<T>(batches: AsyncIterable<T>, watch: Watch): AsyncIterable<T> {
  const iterator = batches[Symbol.asyncIterator]()
  const ask = (): Promise<IteratorResult<T>> => watch.over(iterator.next())
  let next = ask()
  try {
    for (let batch = await next; batch.done !== true; batch = await next) {
      next = ask()
      next.catch(() => {})
      // The request leaves only when this turn of the event loop is over.
      await turn()
      yield batch.value
    }
  } finally {
    await iterator.return?.()
  }
}
