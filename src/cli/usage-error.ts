import { CliError } from './errors.ts'

/** What yargs complains of, as one line in our words. `help`: the command that shows what is allowed. */
export function usageError(message: string, help: string): CliError {
  return new CliError('usage', `${problemOf(message)} (see ${help})`)
}

function problemOf(message: string): string {
  if (message.startsWith('Not enough non-option arguments')) return 'an argument is missing'
  const withoutValue = /^Not enough arguments following: (.+)/.exec(message)?.[1]
  if (withoutValue !== undefined) return `--${withoutValue} needs a value`
  const invalid = /Argument: (.+), Given: (.*), Choices: (.+)/.exec(message)
  if (invalid !== null) {
    const [, option, given, choices = ''] = invalid
    return `--${option} is one of ${choices.replaceAll('"', '')}, not ${given}`
  }
  return message.replaceAll(/\s*\n\s*/g, ' ').replace(/^[A-Z]/, (letter) => letter.toLowerCase())
}
