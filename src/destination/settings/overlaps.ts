import type { DestinationSettings } from './destination-settings.ts'
import type { SettingsProblem } from './problem.ts'

/** Two destinations must not write into one folder: each takes the other's objects for its own, or for rubbish. */
export function overlaps(destinations: readonly DestinationSettings[]): SettingsProblem[] {
  const writers = destinations.filter(({ readOnly }) => !readOnly)
  return writers.flatMap((later, index) => {
    const earlier = writers.slice(0, index).find((other) => overlap(other, later))
    return earlier === undefined ? [] : [problemOf(earlier, later)]
  })
}

function overlap(a: DestinationSettings, b: DestinationSettings): boolean {
  return bucketOf(a) === bucketOf(b) && (lies(a, b) || lies(b, a))
}

/** Whether the folder of `inner` is that of `outer`, or lies in it. */
function lies(inner: DestinationSettings, outer: DestinationSettings): boolean {
  return outer.backupDirectory === '' || `${inner.backupDirectory}/`.startsWith(`${outer.backupDirectory}/`)
}

/** The same for all ways to write the same bucket of the same server. */
function bucketOf({ bucket, store: { endpoint } }: DestinationSettings): string {
  const { host } = new URL(endpoint)
  return `${host.startsWith(`${bucket}.`) ? host.slice(bucket.length + 1) : host}/${bucket}`
}

function problemOf(earlier: DestinationSettings, later: DestinationSettings): SettingsProblem {
  const how =
    earlier.backupDirectory === later.backupDirectory
      ? 'is that of'
      : lies(later, earlier)
        ? 'lies in that of'
        : 'holds that of'
  return {
    file: later.file,
    destination: later.name,
    field: 'backup_directory',
    text: `is "/${later.backupDirectory}", which ${how} ${earlier.name}, "/${earlier.backupDirectory}" in the same bucket: only one of the two may write, say read_only = true in the other`,
  }
}
