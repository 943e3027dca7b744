import { resolve } from 'node:path'
import { flag, shellWord } from '../base/command-line.ts'
import { destinationWords } from '../destination/destination-words.ts'
import type { Destination } from '../destination/parse-destination.ts'
import { ownFolders } from './own-folders.ts'

interface WritingMount {
  readonly destination: Destination
  /** Absolute and canonical, as `stateDir`. */
  readonly mountpoint: string
  readonly stateDir: string
}

/** The command line of a mount for writing that goes on with what this one leaves unpublished, to be copied from advice; `config`: the settings file that was given. */
export function mountAgainCommandLine(
  { destination, mountpoint, stateDir }: WritingMount,
  config: string | undefined,
): string {
  const flags = [
    ...flag('config', destination.named && config && resolve(config)),
    ...flag('state-dir', stateDir === ownFolders().state ? undefined : stateDir),
  ]
  return [
    'jbfs mount --read-write',
    ...flags.map(shellWord),
    destinationWords(destination),
    shellWord(mountpoint),
  ].join(' ')
}
