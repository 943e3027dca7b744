/** Letters that must be there of a word which is not typed to its end. */
const shortestBeginning = 3

/**
 * ` (did you mean …?)` with the nearest of `words` when one is near enough, by letters changed, left out or added, or else the only one that begins with what was
 * typed; else ''.
 */
export function didYouMean(typed: string, words: readonly string[]): string {
  const meant = nearestOf(typed, words) ?? onlyBeginningWith(typed, words)
  return meant === undefined ? '' : ` (did you mean ${meant}?)`
}

function nearestOf(typed: string, words: readonly string[]): string | undefined {
  const distances = words.map((word) => ({ word, distance: editDistance(typed, word) }))
  const [nearest] = distances.sort((a, b) => a.distance - b.distance)
  // A third of the letters, so that of short words only a slip of one is taken for a slip.
  const isNear = nearest !== undefined && nearest.distance <= Math.max(1, Math.floor(typed.length / 3))
  return isNear ? nearest.word : undefined
}

function onlyBeginningWith(typed: string, words: readonly string[]): string | undefined {
  if (typed.length < shortestBeginning) return undefined
  const [first, ...others] = words.filter((word) => word.toLowerCase().startsWith(typed.toLowerCase()))
  return others.length === 0 ? first : undefined
}

/** Letters that are missing, too many, wrong, or change places with their neighbour (Damerau and Levenshtein), case aside. */
function editDistance(left: string, right: string): number {
  const a = left.toLowerCase()
  const b = right.toLowerCase()
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      const isSwapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const swapped = isSwapped ? before[column - 2]! + 1 : replaced
      current.push(Math.min(replaced, swapped, above[column]! + 1, current[column - 1]! + 1))
    }
    before = above
    above = current
  }
  return above[b.length]!
}
