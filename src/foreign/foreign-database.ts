import type { Abortable } from '../base/abort.ts'
import { formatByteSize } from '../base/byte-size.ts'
import { DatabaseProcess, WorkingTime } from './database-process.ts'
import { ForeignError } from './errors.ts'
import { bytesOfRow, type Parameters, type QueryRequest, type Row } from './query-protocol.ts'

export interface ForeignLimits {
  /** Milliseconds that the database may work on one query, unless the query says otherwise; the reader's own time is not counted. */
  readonly milliseconds: number
  /** Rows of one query, likewise. */
  readonly maxRows: number
  /** Bytes resident of the process that reads it. */
  readonly memory: number
  /** Bytes, about, of all that `rows` gives. */
  readonly keptBytes: number
}

export const foreignLimits: ForeignLimits = Object.freeze({
  milliseconds: 60_000,
  // A million files is large; ten times as many is what an index of jbfs takes at a pinch.
  maxRows: 10_000_000,
  // Sorting a million rows goes to the disk; SQLite's cache is 16 MiB, Node.js takes 60.
  memory: 256 << 20,
  // Samples of a hundred tables with twenty columns of fifty bytes.
  keptBytes: 512 << 20,
})

/** Milliseconds in which a process must have started, and read the schema. */
const openTime = 60_000

export interface QueryOptions extends Abortable {
  readonly parameters?: Parameters | undefined
  readonly maxRows?: number | undefined
  /** Of work of the database, as in `ForeignLimits`. */
  readonly milliseconds?: number | undefined
}

/**
 * SQLite databases that something else wrote, read in a process of their own that can do nothing but read them: within limits, and without functions that touch
 * the system, ATTACH, or any change. Queries may go on at the same time, each row of one in its order. All of them reject with `ForeignError`.
 */
export class ForeignDatabase implements AsyncDisposable {
  readonly #paths: readonly string[]
  readonly #limits: ForeignLimits
  #process: DatabaseProcess | undefined
  #queries = 0
  #keptBytes = 0
  #isClosed = false

  private constructor(paths: readonly string[], limits: ForeignLimits) {
    this.#paths = paths
    this.#limits = limits
  }

  /**
   * The first of several is `main`, the others are `db2`, `db3`, …, ten at most. They must not change while they are open; a journal beside them is passed over.
   * Rejects with `bad-database`.
   */
  static async open(
    paths: string | readonly string[],
    limits: Partial<ForeignLimits> = {},
    options: Abortable = {},
  ): Promise<ForeignDatabase> {
    const list = typeof paths === 'string' ? [paths] : paths
    const database = new ForeignDatabase(list, { ...foreignLimits, ...limits })
    try {
      await database.#started(options)
    } catch (error) {
      await database[Symbol.asyncDispose]()
      throw error
    }
    return database
  }

  /**
   * The rows of one SELECT, some at a time. After a limit the others of its time are given up too, and a later query begins anew.
   */
  async *query(
    sql: string,
    {
      parameters = {},
      maxRows = this.#limits.maxRows,
      milliseconds = this.#limits.milliseconds,
      signal,
    }: QueryOptions = {},
  ): AsyncIterable<readonly Row[]> {
    const reader = await this.#started({ signal })
    const query = this.#queries++
    const time = new WorkingTime(milliseconds)
    const ask = (request: QueryRequest): Promise<readonly Row[]> => reader.ask(request, { time, signal })
    let count = 0
    await ask({ ask: 'begin', query, sql, parameters })
    try {
      for (;;) {
        const rows = await ask({ ask: 'next', query })
        if (rows.length === 0) return
        count += rows.length
        if (count > maxRows) throw new ForeignError('query-limit', `it gives more than ${maxRows} rows`)
        yield rows
      }
    } finally {
      if (!reader.hasEnded)
        reader
          .ask({ ask: 'end', query }, { time: new WorkingTime(this.#limits.milliseconds) })
          .catch(() => {})
    }
  }

  /** All rows at once, of what is known to be little: it is taken for kept as long as the database is open. */
  async rows(sql: string, options?: QueryOptions): Promise<Row[]> {
    const rows: Row[] = []
    for await (const batch of this.query(sql, options)) {
      for (const row of batch) this.#keptBytes += bytesOfRow(row)
      if (this.#keptBytes > this.#limits.keptBytes)
        throw new ForeignError(
          'query-limit',
          `it has more than ${formatByteSize(this.#limits.keptBytes)} to look at`,
        )
      rows.push(...batch)
    }
    return rows
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#process?.[Symbol.dispose]()
  }

  async #started({ signal }: Abortable): Promise<DatabaseProcess> {
    if (this.#isClosed) throw new ForeignError('bad-query', 'the database is closed')
    if (this.#process !== undefined && !this.#process.hasEnded) return this.#process
    this.#process = DatabaseProcess.start(this.#paths, this.#limits)
    await this.#process.ask({ ask: 'open', paths: this.#paths }, { time: new WorkingTime(openTime), signal })
    return this.#process
  }
}
