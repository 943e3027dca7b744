/** What the layers need of a logger; pino has this shape. Fields first, then one line of text. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nothing = (): void => {}

/** For tests and one-shot commands that report through their exit code. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
