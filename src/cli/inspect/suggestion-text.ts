import { columnNames } from '../../foreign/mapping-columns.ts'
import { mappingText } from '../../foreign/mapping-file.ts'
import type { Suggestion } from '../../foreign/suggest.ts'
import { printable } from '../output.ts'

/** A suggested mapping as the file that it is to become; how sure each column is stands behind it. */
export function suggestionText({ mapping, columns, remarks }: Suggestion, tryCommand: string): string {
  const why = Object.fromEntries(
    columnNames.flatMap((name) => {
      const proposal = columns[name]
      return proposal === undefined
        ? []
        : [[name, `${Math.round(proposal.confidence * 100)} % sure: ${proposal.why}`]]
    }),
  )
  const head = [
    '# A mapping, as the rows of the database suggest it: nothing but what they look like speaks for it. Try it with',
    `#   ${printable(tryCommand)}`,
    ...remarks.map((remark) => `# ${printable(remark)}`),
  ]
  return `${head.join('\n')}\n\n${mappingText(mapping, { columns: why })}`
}
