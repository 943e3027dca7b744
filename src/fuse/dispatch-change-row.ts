import { type Row, servedRow } from './dispatch-row.ts'
import { type ErrnoName, FuseError } from './errno.ts'
import type { ChangeOperations, MaybePromise } from './operations.ts'
import type { OpcodeName } from './protocol.ts'
import type { Request } from './request.ts'

export type ChangeAnswer<V> = Required<Pick<Row<V>, 'encode'>> & Pick<Row<V>, 'takeBack'>

/** How a request is served that only a filesystem with changes understands. */
export interface ChangeService<V> extends ChangeAnswer<V> {
  call(changes: ChangeOperations, request: Request): MaybePromise<V>
}

/** `refusal`: what it is answered where nothing can be changed, whatever it says. */
export function changeRow<V>(
  name: OpcodeName,
  refusal: ErrnoName,
  { call, ...answer }: ChangeService<V>,
): Row {
  return servedRow<V>(name, {
    ...answer,
    call: ({ operations: { changes } }, request) => {
      if (changes === undefined) throw new FuseError(refusal)
      return call(changes, request)
    },
  })
}

/** The permission bits of a mode. */
export function permissionsOf(mode: number): number {
  return mode & 0o7777
}
