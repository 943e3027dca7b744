import { didYouMean } from '../base/did-you-mean.ts'
import { CliError } from './errors.ts'

export interface UsageContext {
  /** What was typed behind the name of the program. */
  readonly argv: readonly string[]
  /** The command that shows what is allowed. */
  readonly help: string
  /** The options there are, without dashes. */
  readonly options: readonly string[]
}

/** What yargs complains of, as one line in our words. */
export function usageError(message: string, context: UsageContext): CliError {
  return new CliError('usage', `${problemOf(message, context)} (see ${context.help})`)
}

function problemOf(message: string, { argv, options }: UsageContext): string {
  if (message.startsWith('Not enough non-option arguments')) {
    // The word behind an unknown option was taken for its value.
    const unknown = optionsIn(argv).filter((name) => !isOption(name, options))
    return unknown.length === 0 ? 'an argument is missing' : unknownArguments(unknown, { argv, options })
  }
  const withoutValue = /^Not enough arguments following: (.+)/.exec(message)?.[1]
  if (withoutValue !== undefined) return `--${withoutValue} needs a value`
  const invalid = /Argument: (.+), Given: (.*), Choices: (.+)/.exec(message)
  if (invalid !== null) {
    const [, option, given, choices = ''] = invalid
    return `--${option} is one of ${choices.replaceAll('"', '')}, not ${given}`
  }
  const unknown = /^Unknown arguments?: (.+)$/.exec(message)?.[1]
  if (unknown !== undefined) return unknownArguments(unknown.split(', '), { argv, options })
  return message.replaceAll(/\s*\n\s*/g, ' ').replace(/^[A-Z]/, (letter) => letter.toLowerCase())
}

/** Names of the long options that were typed. */
function optionsIn(argv: readonly string[]): string[] {
  const end = argv.indexOf('--')
  const words = end === -1 ? argv : argv.slice(0, end)
  return words.flatMap((word) => /^--([^=]+)/.exec(word)?.[1] ?? [])
}

function isOption(name: string, options: readonly string[]): boolean {
  return options.includes(name) || (name.startsWith('no-') && options.includes(name.slice('no-'.length)))
}

/** yargs tells neither options from other words, nor `--access-key` from the `accessKey` that it makes of it. */
function unknownArguments(
  names: readonly string[],
  { argv, options }: Pick<UsageContext, 'argv' | 'options'>,
): string {
  const dashed = optionsIn(argv)
  const typed = names.filter((name) => !names.some((other) => other !== name && camelCase(other) === name))
  const hints = typed.map((name) => `${dashed.includes(name) ? '--' : ''}${name}${hintFor(name, options)}`)
  return `unknown argument${typed.length === 1 ? '' : 's'}: ${hints.join(', ')}`
}

function hintFor(name: string, options: readonly string[]): string {
  const isKey = /^(access|secret|session)-?(key|token)/i.test(name)
  if (isKey && options.includes('keys-from-stdin'))
    return ' (other users see a command line: --keys-from-stdin)'
  const meant = didYouMean(name, options)
  return meant.replace('did you mean ', 'did you mean --')
}

function camelCase(name: string): string {
  return name.replaceAll(/-+(.)/g, (_, letter: string) => letter.toUpperCase())
}
