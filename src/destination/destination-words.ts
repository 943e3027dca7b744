import { shellWord } from '../base/command-line.ts'
import { type Destination, formatDestination } from './parse-destination.ts'
import { placeFlagsOf } from './place-flags.ts'

/** A destination, or what is `below` it, and how to reach it, as the words of a command line that is to be copied from advice. */
export function destinationWords(destination: Destination, below = ''): string {
  const isTyped = destination.kind === 's3' && destination.named === undefined
  const place = formatDestination(destination) + (below && `/${below}`)
  return [place, ...(isTyped ? placeFlagsOf(destination.store) : [])].map(shellWord).join(' ')
}
