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

/** Whether a name is that of an object: another one in `files/` was put there by somebody else. */
export function isObjectId(name: string): boolean {
  return /^[0-9a-f]{24}$/.test(name)
}

/** When an object was made, epoch seconds by its writer's clock. `id` is one (`isObjectId`). */
export function secondsOfObjectId(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16)
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
