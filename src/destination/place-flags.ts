import { flag } from '../base/command-line.ts'
import type { StoreOptions } from './parse-destination.ts'

/** The options of a command that say how to reach a place without a name in the settings. */
export function placeFlagsOf({ endpoint, region, addressing, caFile, verifySsl }: StoreOptions): string[] {
  return [
    ...flag('endpoint', endpoint),
    ...flag('region', region),
    ...flag('addressing', addressing),
    ...flag('ca-file', caFile),
    ...(verifySsl ? [] : ['--no-verify-ssl']),
  ]
}
