import { jbfsProgram } from './mounted.ts'
import { type RunOptions, run } from './run.ts'

export interface TextResult {
  /** Exit code, or the name of the signal that ended it. */
  readonly code: number | NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program that prints text. */
export async function runText(
  [program, ...args]: readonly string[],
  options?: RunOptions,
): Promise<TextResult> {
  const { code, signal, stdout, stderr } = await run(program as string, args, options)
  return { code: code ?? signal, stdout: stdout.toString(), stderr }
}

/** Runs the command line as a user does, from the sources. */
export function runJbfs(args: readonly string[], options?: RunOptions): Promise<TextResult> {
  return runText([process.execPath, jbfsProgram, ...args], options)
}
