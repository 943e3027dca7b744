/** Writes a made-up cPanel account, hard cases included, to import and mount: node scripts/sample-account.ts --help */
import yargs from 'yargs'
import { formatByteSize } from '../src/base/byte-size.ts'
import { messageOf } from '../src/base/errors.ts'
import { writeSampleAccount } from '../src/sample/sample-account.ts'

const { folder, files, seed, hardCases } = yargs(process.argv.slice(2))
  .usage('$0 <folder>', 'Write a made-up cPanel account into an empty or new folder', (command) =>
    command.positional('folder', { type: 'string', demandOption: true }),
  )
  .options({
    files: {
      type: 'number',
      requiresArg: true,
      default: 2_000,
      describe: 'about how many files',
    },
    seed: {
      type: 'number',
      requiresArg: true,
      default: 1,
      describe: 'the same seed makes the same account',
    },
    'hard-cases': {
      type: 'boolean',
      default: true,
      describe: 'odd names, links, times, attributes, holes',
    },
  })
  .strict()
  .parseSync() as unknown as {
  folder: string
  files: number
  seed: number
  hardCases: boolean
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)))

try {
  const summary = await writeSampleAccount(folder, {
    files,
    seed,
    hardCases,
    signal: interrupted.signal,
  })
  const { account, folders, bytes, skipped } = summary
  console.log(`${account}: ${summary.files} files, ${folders} folders, ${formatByteSize(bytes)} with holes`)
  for (const { name, reason } of skipped) console.log(`skipped: ${name} (${reason})`)
} catch (error) {
  console.error(`sample-account: ${messageOf(error)}`)
  process.exitCode = 1
}
