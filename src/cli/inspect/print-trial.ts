import { destinationWords } from '../../destination/destination-words.ts'
import type { Destination } from '../../destination/parse-destination.ts'
import type { ExitCode } from '../exit-codes.ts'
import { print } from '../output.ts'
import type { ProgressLine } from '../progress-line.ts'
import { fits, trialText } from './trial-text.ts'
import { type TryOptions, tryMapping } from './try-mapping.ts'

export interface TrialPrinting {
  readonly place: Destination
  readonly line: ProgressLine
  /** The mapping's, as it was typed. */
  readonly file: string
  readonly isJson: boolean
}

/** As of a command that wanted to read what is missing. */
const exitDamaged: ExitCode = 5

/** Tries a mapping, and prints what comes of it. */
export async function printTrial(
  options: TryOptions,
  { place, line, file, isJson }: TrialPrinting,
): Promise<void> {
  const trial = await tryMapping(options)
  line.clear()
  const mount = `jbfs mount ${destinationWords(place)} MOUNTPOINT --mapping ${file}`
  print(isJson ? JSON.stringify(trial, null, 2) : trialText(trial, mount))
  if (!fits(trial)) process.exitCode ??= exitDamaged
}
