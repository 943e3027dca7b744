/**
 * A random sample of `percent` (above 0, up to 100) of the items, in their order: exactly that part of them, rounded up. Of `count` items, all samples of that size are
 * equally likely (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 S).
 */
export function* sampleOf<T>(
  items: Iterable<T>,
  count: number,
  percent: number,
  random: () => number = Math.random,
): Iterable<T> {
  let wanted = Math.min(count, Math.ceil((count * percent) / 100))
  let left = count
  for (const item of items) {
    if (wanted === 0) return
    if (random() * left < wanted) {
      wanted--
      yield item
    }
    left--
  }
}
