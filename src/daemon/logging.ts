import { dirname } from 'node:path'
import { pino } from 'pino'
import { JbfsError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { makeFolder } from '../base/make-folder.ts'
import { systemReasonAt } from '../base/system-reason.ts'
import { readableLine } from './readable-log.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export interface LoggingOptions {
  readonly level: LogLevel
  /** Absolute path; undefined for standard error: JSON lines, or for people when it is a terminal or `readable`. */
  readonly file?: string | undefined
  readonly readable?: boolean | undefined
}

export interface Logging {
  readonly logger: Logger
  /** Opens the file anew under its name, after log rotation has moved it away. */
  reopen(): void
}

/** Throws `bad-option` when the file cannot be written. */
export function startLogging({ level, file, readable = process.stderr.isTTY }: LoggingOptions): Logging {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name: string) => ({ level: name }) },
  }
  if (file === undefined) {
    const write = (line: string): void => {
      process.stderr.write(readable ? readableLine(line) : line)
    }
    return { logger: pino(options, { write }), reopen: () => {} }
  }
  const destination = openLogFile(file)
  // A full disk must not end the mount.
  destination.on('error', () => {})
  return { logger: pino(options, destination), reopen: () => destination.reopen() }
}

function openLogFile(file: string): ReturnType<typeof pino.destination> {
  try {
    makeFolder(dirname(file))
    // Synchronous: the last lines before a crash are the ones that matter.
    return pino.destination({ dest: file, append: true, sync: true, mode: 0o600 })
  } catch (error) {
    throw unwritableLog(error)
  }
}

export function unwritableLog(cause: unknown): JbfsError {
  const message = `cannot write the log: ${systemReasonAt(cause)}; choose another --log-file`
  return new JbfsError('bad-option', message, { cause })
}
