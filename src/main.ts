import { codeOf, messageOf } from './base/errors.ts'
import { runCli } from './cli/cli.ts'
import { exitCodeOf } from './cli/exit-codes.ts'
import { flushOutput, outputFailure, watchOutput } from './cli/output.ts'

// Comes only when nothing is left that could go on, and the end of this file was not reached.
process.once('beforeExit', () => {
  process.exitCode = 1
  process.stderr.write('jbfs: ended before it was done: a fault in jbfs\n')
})
watchOutput()
const args = process.argv.slice(2)
try {
  await runCli(args)
  await flushOutput()
  outputFailure.throwIfAborted()
} catch (error) {
  process.exitCode = exitCodeOf(error)
  // Who closes the output early (`| head`) wants to hear no more.
  // A line for each thing that is wrong, where there are several.
  if (codeOf(error) !== 'output-closed')
    process.stderr.write(`${messageOf(error).replaceAll(/^/gm, 'jbfs: ')}\n`)
  const wantsMore = codeOf(error) === undefined || args.join('=').includes('--log-level=debug')
  if (wantsMore && error instanceof Error) process.stderr.write(`${error.stack}\n`)
}
await flushOutput()
// Connections that are kept alive must not keep a finished command waiting.
process.exit()
