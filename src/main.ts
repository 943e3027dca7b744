import { codeOf, messageOf } from './base/errors.ts'
import { runCli } from './cli/cli.ts'
import { exitCodeOf } from './cli/exit-codes.ts'
import { endWhenOutputFails, flushOutput } from './cli/output.ts'

endWhenOutputFails()
const args = process.argv.slice(2)
try {
  await runCli(args)
} catch (error) {
  process.exitCode = exitCodeOf(error)
  process.stderr.write(`jbfs: ${messageOf(error)}\n`)
  const wantsMore = codeOf(error) === undefined || args.join('=').includes('--log-level=debug')
  if (wantsMore && error instanceof Error) process.stderr.write(`${error.stack}\n`)
}
await flushOutput()
// Connections that are kept alive must not keep a finished command waiting.
process.exit()
