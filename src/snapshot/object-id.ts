import { randomInt } from 'node:crypto'

/**
 * Object ids: 24 hex digits of seconds since the epoch, microseconds and a sequence number, four bytes each, big-endian
 * (`native-notes/format.md` §5). The sequence begins at random, so that two writers do not meet.
 */
export class ObjectIds {
  #sequence = randomInt(2 ** 32)

  next(now: number = performance.timeOrigin + performance.now()): string {
    this.#sequence = (this.#sequence + 1) % 2 ** 32
    const seconds = Math.floor(now / 1000)
    const microseconds = Math.floor((now - seconds * 1000) * 1000)
    return [seconds, microseconds, this.#sequence].map(hex).join('')
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
