import type { CommandModule, FallbackCompletionFunction } from 'yargs'
import { ownSettings } from './settings-files.ts'

type Command = Pick<CommandModule, 'command'>

export const completionHelp = `jbfs completion

Print what makes the shell complete commands, options and destinations, for bash or, where SHELL says so, zsh.

Examples:
  jbfs completion >> ~/.bashrc                     for yourself, from the next shell on
  jbfs completion >> ~/.zshrc                      the same with zsh
  jbfs completion > /etc/bash_completion.d/jbfs    for all users of bash`

/** Positionals that may name a destination of the settings. */
const namePositionals: readonly string[] = ['<destination>', '<repository>', '<name>']

/**
 * What a shell offers for a word: names of destinations where a command takes one. Where one takes a path nothing is offered, on which shells
 * offer files; all else is what yargs knows of commands and options.
 */
export function completionOf(
  commands: readonly Command[],
  subcommands: Readonly<Record<string, readonly Command[]>>,
): FallbackCompletionFunction {
  return (current, argv, byDefault, done) => {
    // The first is jbfs itself, the last the word to complete, unless that is an option or its value.
    const words: string[] = argv._.slice(1).map(String)
    const isPositional = words.at(-1) === current && !current.startsWith('-')
    const expected = isPositional ? positionalAt(words.slice(0, -1), commands, subcommands) : undefined
    if (expected === undefined) return byDefault()
    done(namePositionals.includes(expected) ? names(argv.config) : [])
  }
}

/** As the command has it, `<destination>`; undefined when a command is to follow, and '' when nothing is. */
function positionalAt(
  words: readonly string[],
  commands: readonly Command[],
  subcommands: Readonly<Record<string, readonly Command[]>>,
): string | undefined {
  const [command = '', ...others] = words
  const below = subcommands[command]
  if (below !== undefined) return positionalAt(others, below, {})
  const found = commands.find((candidate) => wordsOf(candidate)[0] === command)
  return found && (wordsOf(found)[words.length] ?? '')
}

function wordsOf({ command }: Command): string[] {
  return String(command).split(' ')
}

/** While somebody types is no time to tell what is wrong with the settings. */
function names(config: unknown): string[] {
  try {
    return [...ownSettings(typeof config === 'string' ? config : undefined).keys()]
  } catch {
    return []
  }
}
