import { formatByteSize } from '../../base/byte-size.ts'
import { faultTexts } from '../../foreign/faults.ts'
import { counted } from '../maintenance/counts.ts'
import { formatTable, printable } from '../output.ts'
import type { Trial, TriedEntry, TriedFault } from './try-mapping.ts'

/** What a mapping makes of a snapshot, for people. `mount`: the command that mounts with it. */
export function trialText(trial: Trial, mount: string): string {
  const { snapshot, rows, files, folders, bytes, tree, objects } = trial
  const made = `${snapshot}: ${counted(rows, 'row')} make ${counted(files, 'file')} and ${counted(folders, 'folder')}, ${formatByteSize(bytes)}`
  const there = objects.count - objects.missing.count - objects.wrongSize.count
  const checked = `objects: ${there} of ${objects.count} are there as the rows say; ${objects.read} were read`
  const wrong = wrongLines(trial)
  const end =
    wrong.length === 0 ? `Nothing is wrong with it. ${mount}` : ['What does not fit:', ...wrong].join('\n')
  return [made, treeText(tree), checked, end].join('\n\n')
}

/** Whether every row and every object fits. */
export function fits(trial: Trial): boolean {
  return wrongLines(trial).length === 0
}

function treeText(tree: readonly TriedEntry[]): string {
  const columns = [
    { title: 'MODE' },
    { title: 'SIZE', align: 'right' },
    { title: 'CHANGED' },
    { title: 'PATH' },
  ] as const
  const rows = tree.map(({ path, mode, size, mtime, target }) => [
    mode.toString(8),
    formatByteSize(size),
    dateText(mtime),
    printable(target === undefined ? path : `${path} -> ${target}`),
  ])
  return formatTable(columns, rows)
}

/** A wrong unit makes dates that no `Date` can be. */
function dateText(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().slice(0, 19).replace('T', ' ')
}

function wrongLines({ rows, files, faults, objects }: Trial): string[] {
  const { missing, wrongSize, altered } = objects
  return [
    ...(rows === 0 ? ['there are no rows'] : []),
    ...(rows > 0 && files === 0 ? ['there are no files'] : []),
    ...faults.flatMap(({ kind, count, examples }) => found(`${faultTexts[kind]}: ${count}`, examples)),
    ...objectLines(missing, 'objects that are missing'),
    ...objectLines(
      wrongSize,
      'objects with another size than their rows say, as when they are packed (encoding)',
    ),
    ...objectLines(altered, 'objects that, when they are read, are not what their rows say'),
  ]
}

function objectLines({ count, examples }: TriedFault, what: string): string[] {
  return count === 0 ? [] : found(`${what}: ${count}`, examples)
}

function found(summary: string, examples: readonly string[]): string[] {
  return [`- ${summary}`, ...examples.map((example) => `    ${printable(example)}`)]
}
