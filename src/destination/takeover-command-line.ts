import { destinationWords } from './destination-words.ts'
import type { Destination } from './parse-destination.ts'

/** The whole command that makes a backup directory this server's, to be copied from advice. */
export function takeoverCommandLine(destination: Destination): string {
  return `jbfs destination takeover ${destinationWords(destination)}`
}
