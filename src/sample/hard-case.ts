import type { SampleContext } from './part.ts'
import type { TreeWriter } from './tree-writer.ts'

/** Something a file system can hold and a backup easily loses. */
export interface HardCase {
  /** Of the folder in `homedir/hard-cases` that holds it. */
  readonly name: string
  /**
   * Writes it into `tree`, whose root is an empty folder. Throws `not-kept` where the file system takes it but keeps something else,
   * or what a system call throws.
   */
  make(tree: TreeWriter, context: SampleContext): void
}
