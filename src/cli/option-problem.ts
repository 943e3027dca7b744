import type { FieldChanges } from '../destination/settings/edit-text.ts'
import { isFieldName, keyFields } from '../destination/settings/fields.ts'
import { formatProblem, type ProblemFormat } from '../destination/settings/problem.ts'
import { flagName } from './field-flags.ts'

/**
 * What is wrong with fields that a command line gives is told of its options: nothing of it has been written into the settings file. `given`: those fields;
 * 'all' where there were none before, so that one that is missing is an option that is missing.
 */
export function optionProblem(given: FieldChanges | 'all'): ProblemFormat {
  return (problem) => {
    const { destination, field, text } = problem
    if (destination === undefined) return formatProblem(problem)
    if (field === undefined) return `${JSON.stringify(destination)} ${text}`
    if (!isFieldName(field) || (given !== 'all' && !Object.hasOwn(given, field)))
      return formatProblem(problem)
    if (keyFields.some((key) => key === field)) return `--keys-from-stdin: ${field} ${text}`
    return `--${flagName(field)} ${text}`
  }
}
