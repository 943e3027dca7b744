import type { DirectorySink } from '../fuse/operations.ts'

/** Readdir's cookies of `.` and `..`, which stand first in every folder. */
export const HereCookie = { here: 1, parent: 2 } as const

/** Adds `.` and `..` where the listing has not got beyond them; false when there is no room. */
export function addHere(sink: DirectorySink, cookie: number, here: number, parent: number): boolean {
  if (cookie < HereCookie.here && !sink.addHere('.', HereCookie.here, here)) return false
  return cookie >= HereCookie.parent || sink.addHere('..', HereCookie.parent, parent)
}
