import { contains } from '../base/containment.ts'
import { folderNames } from '../base/folder-names.ts'

/**
 * Places as the `description` of a store has them: `s3://bucket/path`, or the path of a folder, of which there may be several to the same folder. A
 * bucket is known by its name: a server may be reached by many, too.
 */

export function isSamePlace(one: string, other: string): boolean {
  if (one === other) return true
  return !isBucket(one) && !isBucket(other) && folderNames(one)[0] === folderNames(other)[0]
}

/** Whether they are the same, or one lies in the other. */
export function doPlacesOverlap(one: string, other: string): boolean {
  return liesIn(one, other) || liesIn(other, one)
}

function liesIn(place: string, around: string): boolean {
  if (isBucket(place) || isBucket(around)) return contains(around, place)
  const [name = ''] = folderNames(around)
  return folderNames(place).includes(name)
}

function isBucket(place: string): boolean {
  return place.startsWith('s3://')
}
