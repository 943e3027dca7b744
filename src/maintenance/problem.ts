import type { SnapshotError, SnapshotErrorCode } from '../snapshot/errors.ts'
import type { StoreError } from '../store/errors.ts'

/**
 * What `check` finds wrong. Of a snapshot: the codes of `SnapshotError`; `left-out` rows of a foreign index have no place in its tree. Of an object: `missing` it is not in `files/` · `wrong-size` it has another size than
 * the index says · `altered` its bytes have another SHA-256 · `contradiction` two indexes say different things of it. Of either: `unreadable` the store does
 * not give it.
 */
export type ProblemKind =
  | SnapshotErrorCode
  | 'left-out'
  | 'missing'
  | 'wrong-size'
  | 'altered'
  | 'contradiction'
  | 'unreadable'

export interface Problem {
  /** Path below the destination; '' when the destination itself is the repository. */
  readonly repository: string
  /** Those concerned, `snap.N`. */
  readonly snapshots: readonly string[]
  /** Id of the object; undefined when it is about a manifest or an index. */
  readonly object: string | undefined
  readonly kind: ProblemKind
  /** One line that says all of it. */
  readonly text: string
}

/** What keeps the manifest or the index of a snapshot from being used. */
export function snapshotProblem(
  repository: string,
  snapshot: string,
  error: SnapshotError | StoreError,
): Problem {
  const isStore = error.name === 'StoreError'
  const place = [repository, snapshot].filter(Boolean).join('/')
  return {
    repository,
    snapshots: [snapshot],
    object: undefined,
    kind: isStore ? 'unreadable' : (error.code as SnapshotErrorCode),
    text: isStore ? `the file index of ${place} cannot be read: ${error.message}` : error.message,
  }
}
