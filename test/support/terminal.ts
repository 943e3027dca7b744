import { spawn } from 'node:child_process'

export interface TerminalResult {
  readonly code: number | null
  /** All that the terminal has shown. */
  readonly shown: string
}

/**
 * Runs a program at a terminal of its own, by script(1). Each answer is typed when what has been shown since the last one ends with its
 * question; a function is called then, and says what to type.
 */
export function runAtTerminal(
  command: readonly string[],
  answers: readonly (readonly [question: string, answer: string | (() => string)])[],
  env: Readonly<Record<string, string>> = {},
): Promise<TerminalResult> {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const child = spawn('script', ['-qefc', quoted, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env, TERM: 'dumb', SHELL: '/bin/sh' },
  })
  const left = [...answers]
  let shown = ''
  let read = 0
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    const [question, answer = ''] = left[0] ?? []
    if (question === undefined || !shown.slice(read).includes(question)) return
    left.shift()
    read = shown.length
    child.stdin.write(typeof answer === 'function' ? answer() : answer)
  })
  child.stdin.on('error', () => {})
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, shown })
    })
  })
}
