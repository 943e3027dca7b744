import { destinationWords } from '../destination/destination-words.ts'
import type { Destination } from '../destination/parse-destination.ts'

/** What stands in a snapshot that jbfs did not write, and for which nobody has declared a mapping: what to do next, with commands to be copied. */
export function foreignReadme(destination: Destination, repository: string, name: string): string {
  const whole = destinationWords(destination)
  const snapshot = destinationWords(destination, repository + name)
  return `The files of this snapshot cannot be shown yet.

It was not written by jbfs. Its manifest is jetbackup.index beside this file; the names of
its files are in a database, or in a list, whose form jbfs does not know and does not guess.
Nothing is wrong with the backup because of that, and jbfs only reads: nothing is changed
or removed here.

These commands, where this is mounted, go further:

1. What is there: the keys, and the tables of each database with some of their rows.

     jbfs inspect ${snapshot}

2. A proposal how to read them, which is called a mapping. Put it into a file; each column
   stands there with how sure jbfs is of it.

     jbfs inspect ${snapshot} --suggest > mapping.toml

3. Try it: the tree it makes, and what does not fit. Correct the file until nothing is left.

     jbfs inspect ${snapshot} --try mapping.toml

4. Mount with it; the snapshots then are folders and files as any others.

     jbfs mount ${whole} MOUNTPOINT --mapping mapping.toml

To look around with ordinary tools among the keys as they are, in another folder:

     jbfs mount ${whole} MOUNTPOINT --raw
`
}
