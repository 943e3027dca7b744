import { spawn } from 'node:child_process'

export interface RunResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string | Buffer
  /** Milliseconds after which the program gets SIGKILL. */
  readonly timeout?: number
}

/** Runs a program to its end. Asynchronous, because a mount's user must never block the process that may serve it. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      stdio: 'pipe',
      timeout: options.timeout ?? 120_000,
      killSignal: 'SIGKILL',
    })
    const stdout: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('latin1')
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout: Buffer.concat(stdout), stderr }))
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** As `run`, but rejects when the program fails; returns what it printed, a byte a code unit. */
export async function output(
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const { code, signal, stdout, stderr } = await run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}: ${stderr}`)
  return stdout.toString('latin1')
}
