import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Abortable } from '../base/abort.ts'
import { onlyCompileCache } from '../base/compile-cache.ts'
import { messageOf } from '../base/errors.ts'
import { Semaphore } from '../base/semaphore.ts'
import { workerUrl } from '../base/worker-url.ts'
import { type ValidatedTotals, type ValidationShare, validationShares } from './validate.ts'

/** No honest index takes as long (ms): a million inodes take a few seconds. */
const timeLimit = 120_000

/** Whoever walks through many snapshots must not start as many processes: each takes one for a share. */
const places = new Semaphore(1)

interface ValidationOptions extends Abortable {
  /** Milliseconds. */
  readonly limit?: number | undefined
}

/**
 * As `validateIndex`, in processes of their own, one for each share, which are killed when they take too long: nothing ends a thread that a hostile file keeps
 * busy inside SQLite, and a thread that crashes there takes the mount along. They are given no environment, so no keys either.
 */
export async function validateUntrusted(
  path: string,
  options: ValidationOptions = {},
): Promise<ValidatedTotals | string> {
  using _place = await places.acquire(options)
  options.signal?.throwIfAborted()
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  const problem = Promise.withResolvers<string>()
  const looks = validationShares.map(async (share) => {
    const result = await validateElsewhere(path, share, { limit: options.limit, signal: stop.signal })
    if (typeof result === 'string') problem.resolve(result)
    return result
  })
  const totals = Promise.all(looks).then(([inodes]) => inodes as ValidatedTotals)
  try {
    return await Promise.race([problem.promise, totals])
  } finally {
    // The others are given up when one has found something.
    options.signal?.removeEventListener('abort', onAbort)
    stop.abort()
  }
}

function validateElsewhere(
  path: string,
  share: ValidationShare,
  { signal, limit = timeLimit }: ValidationOptions,
): Promise<ValidatedTotals | string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const child = fork(fileURLToPath(workerUrl('./validate-process', import.meta.url)), [path, share], {
      env: onlyCompileCache(),
      execArgv: [],
      // A Ctrl-C is for us: by its end an index would seem to be damaged.
      detached: true,
      stdio: 'ignore',
    })
    const kill = (): void => void child.kill('SIGKILL')
    const settle = (settled: () => void): void => {
      clearTimeout(timer)
      process.off('exit', kill)
      signal?.removeEventListener('abort', onAbort)
      kill()
      settled()
    }
    const finish = (result: ValidatedTotals | string): void => settle(() => resolve(result))
    const onAbort = (): void => settle(() => reject(signal?.reason))
    const timer = setTimeout(() => finish('looking at it takes too long'), limit)
    process.once('exit', kill)
    signal?.addEventListener('abort', onAbort, { once: true })
    child.on('message', (result) => finish(result as ValidatedTotals | string))
    // Comes after the last message.
    child.on('disconnect', () => finish('looking at it makes SQLite fail'))
    child.on('error', (error) => finish(`it cannot be looked at (${messageOf(error)})`))
  })
}
