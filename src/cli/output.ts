import { once } from 'node:events'
import { CliError } from './errors.ts'

/** Text from a store or from a mount, safe to show on a terminal: control characters are escaped as in JSON. */
export function printable(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** As `print`, for millions of lines: resolves when whoever reads them has room for more. Rejects when nobody does any more. */
export async function printWhenRead(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain', { signal: outputFailure })
}

/** For what does not keep a command from being done. */
export function warn(text: string): void {
  process.stderr.write(`jbfs: ${printable(text)}\n`)
}

const failure = new AbortController()
/** Aborts when nobody reads the output any more (`| head`), or it cannot be written. */
export const outputFailure: AbortSignal = failure.signal

/** What is under way is given up through `outputFailure`, and cleans up after itself: nothing ends the process here. */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    failure.abort(
      error.code === 'EPIPE'
        ? new CliError('output-closed', 'nobody reads the output any more', { cause: error })
        : new CliError('output-failed', `cannot write the output: ${error.message}`, { cause: error }),
    )
  })
  // Where errors are told nobody listens: what is being done goes on.
  process.stderr.on('error', () => {})
}

/** Resolves when all that was printed is with the system; a pipe may be slow. */
export async function flushOutput(): Promise<void> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
}

/** Columns as wide as their widest cell, numbers (`align: 'right'`) flush right. */
export function formatTable(
  columns: readonly { readonly title: string; readonly align?: 'right' | undefined }[],
  rows: readonly (readonly string[])[],
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) =>
        columns[index]?.align === 'right' ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
      )
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...rows.map(line)].join('\n')
}
