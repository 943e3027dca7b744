/** Slips that make another word of a short one are no slips any more. */
const mostSlips = 2

/** The word that was probably meant by `typed`; undefined when none is near. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const most = Math.min(mostSlips, Math.floor(typed.length / 2))
  let [best, least]: [string | undefined, number] = [undefined, most + 1]
  for (const word of words) {
    const slips = distance(typed, word)
    if (slips < least) [best, least] = [word, slips]
  }
  return best
}

/** Letters that are missing, too many, wrong, or change places with their neighbour (Damerau and Levenshtein). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1] as number[]
      const isSame = a[i - 1] === b[j - 1]
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + (isSame ? 0 : 1),
        isSwapped ? (rows[i - 2]?.[j - 2] as number) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] as number
}
