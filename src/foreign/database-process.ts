import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Abortable } from '../base/abort.ts'
import { formatByteSize } from '../base/byte-size.ts'
import { messageOf } from '../base/errors.ts'
import { Semaphore } from '../base/semaphore.ts'
import { workerUrl } from '../base/worker-url.ts'
import { ForeignError } from './errors.ts'
import type { QueryAnswer, QueryRequest, Row } from './query-protocol.ts'

export interface ProcessLimits {
  /** Bytes resident, SQLite's cache and Node.js itself (50 MiB) among them. */
  readonly memory: number
}

interface AskOptions extends Abortable {
  readonly time: WorkingTime
}

/** What all requests of a query may take together. A request that waits for its turn takes nothing. */
export class WorkingTime {
  readonly milliseconds: number
  #left: number

  constructor(milliseconds: number) {
    this.milliseconds = milliseconds
    this.#left = milliseconds
  }

  /** Milliseconds for a next request, however little is left. */
  get left(): number {
    return Math.max(1, this.#left)
  }

  take(milliseconds: number): void {
    this.#left -= milliseconds
  }
}

/** Milliseconds between two looks at the memory of the process: SQLite fills about a gigabyte a second. */
const memoryInterval = 50

/** Bytes of data that Node.js sets aside and does not use, most of them for compiled code. */
const reserved = 1 << 30

/** Bytes of a temporary file, which sorting makes beside the database: each, as far as the shell lets one say it. */
const largestTemporary = 4 * 2 ** 30

/** Seconds of CPU for all queries of a process: so it ends also when whoever watches over it is gone. */
const longestWork = 3600

/** `ulimit` counts data in KiB and files in 512 bytes. It refuses only to go above a limit that is there already. */
const script = 'ulimit -d "$1"; ulimit -f "$2"; ulimit -t "$3"; shift 3; exec "$@"'
const pageSize = 4096

/**
 * A process that reads foreign databases. It is killed when a request takes too long or too much, and gets no environment, so no keys either. What it does not
 * answer rejects with `ForeignError`, and so does all that is asked afterwards.
 */
export class DatabaseProcess implements Disposable {
  readonly #child: ChildProcess
  readonly #memory: number
  /** One request at a time: the time of each is its own. */
  readonly #turn = new Semaphore(1)
  readonly #kill = (): void => void this.#child.kill('SIGKILL')
  #answered: ((answer: QueryAnswer) => void) | undefined
  #end: ForeignError | undefined

  private constructor(child: ChildProcess, memory: number) {
    this.#child = child
    this.#memory = memory
  }

  /** With the first of `paths` as `main`, the others as `db2`, `db3`, … */
  static start(paths: readonly string[], { memory }: ProcessLimits): DatabaseProcess {
    const limits = [Math.ceil((memory + reserved) / 1024), largestTemporary / 512, longestWork]
    const program = [process.execPath, fileURLToPath(workerUrl('./query-process', import.meta.url))]
    const child = spawn('/bin/sh', ['-c', script, 'jbfs-query', ...limits.map(String), ...program], {
      env: { SQLITE_TMPDIR: dirname(paths[0] ?? '/') },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    })
    const started = new DatabaseProcess(child, memory)
    started.#watch()
    return started
  }

  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  /** Rejects, with the process killed, when there is no answer in time, or `signal` aborts. */
  async ask(request: QueryRequest, { time, signal }: AskOptions): Promise<readonly Row[]> {
    using _turn = await this.#turn.acquire({ signal })
    signal?.throwIfAborted()
    if (this.#end !== undefined) throw this.#end
    const { promise, resolve, reject } = Promise.withResolvers<QueryAnswer>()
    this.#answered = resolve
    const onAbort = (): void => {
      reject(signal?.reason)
      this.#stop(new ForeignError('query-limit', 'a query was given up'))
    }
    const onTime = (): void =>
      this.#stop(new ForeignError('query-limit', `it takes longer than ${time.milliseconds / 1000} seconds`))
    const started = performance.now()
    const timer = setTimeout(onTime, time.left)
    const look = setInterval(() => void this.#lookAtMemory(), memoryInterval)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      this.#child.send(request)
      const answer = await promise
      if ('rows' in answer) return answer.rows
      throw new ForeignError(answer.code, answer.message)
    } finally {
      time.take(performance.now() - started)
      clearTimeout(timer)
      clearInterval(look)
      signal?.removeEventListener('abort', onAbort)
      this.#answered = undefined
    }
  }

  [Symbol.dispose](): void {
    this.#stop(new ForeignError('bad-query', 'the database is closed'))
  }

  #watch(): void {
    process.once('exit', this.#kill)
    this.#child.on('message', (answer) => this.#answered?.(answer as QueryAnswer))
    // Comes after the last message.
    this.#child.on('disconnect', () => this.#stop(new ForeignError('bad-database', 'it makes SQLite fail')))
    this.#child.on('error', (error) =>
      this.#stop(new ForeignError('bad-database', `it cannot be looked at (${messageOf(error)})`)),
    )
  }

  async #lookAtMemory(): Promise<void> {
    const statm = await readFile(`/proc/${this.#child.pid}/statm`, 'latin1').catch(() => '')
    if (Number(statm.split(' ')[1]) * pageSize <= this.#memory || statm === '') return
    const message = `it takes more than ${formatByteSize(this.#memory)} of memory`
    this.#stop(new ForeignError('query-limit', message))
  }

  #stop(error: ForeignError): void {
    this.#end ??= error
    process.off('exit', this.#kill)
    this.#kill()
    const { code, message } = this.#end
    this.#answered?.({ code, message })
  }
}
