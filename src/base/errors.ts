/**
 * The root of every error jbfs throws on purpose. `code` is what callers branch on (never the class or the text);
 * `message` is one line for an administrator and never holds a secret.
 */
export class JbfsError<Code extends string = string> extends Error {
  override readonly name: string = 'JbfsError'
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The text of anything thrown, for log lines and for the `message` of the error that wraps it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The `code` of anything thrown (`ENOENT`, `NoSuchKey`, …), or undefined. */
export function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
