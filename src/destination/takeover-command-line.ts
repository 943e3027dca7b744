import { shellWord } from '../base/command-line.ts'
import { type Destination, formatDestination } from './parse-destination.ts'
import { placeFlagsOf } from './place-flags.ts'

/** The whole command that makes a backup directory this server's, to be copied from advice. */
export function takeoverCommandLine(destination: Destination): string {
  const isTyped = destination.kind === 's3' && destination.named === undefined
  const words = [formatDestination(destination), ...(isTyped ? placeFlagsOf(destination.store) : [])]
  return ['jbfs destination takeover', ...words.map(shellWord)].join(' ')
}
