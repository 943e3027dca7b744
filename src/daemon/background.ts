import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { JbfsError, messageOf } from '../base/errors.ts'
import { makeFolder } from '../base/make-folder.ts'
import { unwritableLog } from './logging.ts'

/**
 * `jbfs mount` goes to the background by starting itself again, detached, with `--foreground`. Over the IPC channel the new process says
 * what whoever mounts should know meanwhile, and once whether it serves; then the channel is closed and nothing binds the two any more.
 */
type Message = { readonly state: 'starting'; readonly notice: string } | Announcement

type Announcement =
  | { readonly state: 'ready' }
  | { readonly state: 'failed'; readonly code: string; readonly message: string }

export interface BackgroundOptions extends Abortable {
  /** Program and arguments; shown by ps(1). */
  readonly command: readonly string[]
  /** What the process prints on its own, a crash of Node.js for one, goes here as its log does. */
  readonly logFile: string
  /** A descriptor to hand on under its own number. */
  readonly fuseFd?: number | undefined
  /** Hears what whoever mounts should know, one line each. */
  readonly onNotice: (notice: string) => void
}

/**
 * Resolves once the new process serves. Rejects with its own error (code and message) when it gave up, with
 * `daemon-died` when it ended without a word, and with the signal's reason after ending it when that aborts.
 */
export async function startInBackground(options: BackgroundOptions): Promise<void> {
  const { signal } = options
  signal?.throwIfAborted()
  const child = spawnDetached(options)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const stop = (): void => {
    child.kill('SIGTERM')
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const announcement = await announcementOf(child, options)
    if (announcement.state === 'failed') throw new JbfsError(announcement.code, announcement.message)
    // It had just become ready when it was told to end: its mount is gone only when it is.
    if (signal?.aborted) await ended
    signal?.throwIfAborted()
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** The other end: what a process that may have been started by `startInBackground` says of itself. After `ready` or `failed` nothing is heard any more. */
export function announcer(): {
  tell(notice: string): void
  ready(): void
  failed(error: unknown): Promise<void>
} {
  // Whoever waited may be gone by now; that is no fault of the mount.
  const send = (message: Message): Promise<void> =>
    new Promise((resolve) => {
      if (!process.connected || process.send === undefined) return resolve()
      process.send(message, () => resolve())
    })
  const say = async (announcement: Announcement): Promise<void> => {
    await send(announcement)
    if (process.connected) process.disconnect()
  }
  return {
    tell: (notice) => void send({ state: 'starting', notice }),
    ready: () => void say({ state: 'ready' }),
    failed: (error) =>
      say({
        state: 'failed',
        code: error instanceof JbfsError ? error.code : 'failure',
        message: messageOf(error),
      }),
  }
}

function spawnDetached({ command, logFile, fuseFd }: BackgroundOptions): ChildProcess {
  const [program, ...args] = command
  const log = openLog(logFile)
  const stdio: ('ignore' | 'ipc' | number)[] = ['ignore', log, log]
  if (fuseFd !== undefined) {
    while (stdio.length < fuseFd) stdio.push('ignore')
    stdio.push(fuseFd)
  }
  stdio.push('ipc')
  try {
    return spawn(program as string, args, { detached: true, cwd: '/', stdio })
  } finally {
    closeSync(log)
  }
}

function openLog(file: string): number {
  try {
    makeFolder(dirname(file))
    return openSync(file, 'a', 0o600)
  } catch (error) {
    throw unwritableLog(error)
  }
}

function announcementOf(
  child: ChildProcess,
  { logFile, onNotice }: BackgroundOptions,
): Promise<Announcement> {
  return new Promise((resolve, reject) => {
    child.on('message', (said) => {
      const message = said as Message
      if (message.state === 'starting') onNotice(message.notice)
      else resolve(message)
    })
    child.once('error', (error) =>
      reject(new JbfsError('daemon-died', `cannot start the daemon: ${messageOf(error)}`, { cause: error })),
    )
    // Not 'exit', which may come before the last message.
    child.once('close', (code, signal) =>
      reject(
        new JbfsError(
          'daemon-died',
          `the daemon ended (${signal ?? `exit code ${code}`}) before the mount answered; its log is ${logFile}`,
        ),
      ),
    )
  })
}
