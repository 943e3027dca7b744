import type { ErrnoName } from './errno.ts'
import type { FuseOperations, MaybePromise } from './operations.ts'
import type { OpcodeName } from './protocol.ts'
import type { ReplyBuilder } from './reply.ts'
import type { Request } from './request.ts'

/** What rows need of the session they are served in. */
export interface DispatchContext {
  readonly operations: FuseOperations
  /** Seconds for which an absent name is remembered. */
  readonly negativeValid: number
  /** The kernel agreed to do without OPEN and OPENDIR (since Linux 5.1). */
  readonly handleless: boolean
  init(request: Request): void
  interrupt(unique: number): void
  /** A buffer of at least `size` bytes, the request's own until its reply is sent. */
  slab(size: number): Buffer
}

/**
 * How one opcode is served: `call` reads the request and asks the filesystem; `encode` makes the reply of what it answered.
 * A row without `call` is refused with `refusal`; one without `encode` gets no reply at all.
 */
export interface Row<V = unknown> {
  readonly name: OpcodeName
  readonly refusal: ErrnoName
  call?(context: DispatchContext, request: Request): MaybePromise<V>
  encode?(reply: ReplyBuilder, value: V, request: Request, context: DispatchContext): readonly Uint8Array[]
  /** The kernel did not get the reply: forgets the lookups it would have counted. */
  takeBack?(context: DispatchContext, value: V): void
}

/** A row that is served. */
export function servedRow<V>(name: OpcodeName, serve: Pick<Row<V>, 'call' | 'encode' | 'takeBack'>): Row {
  return { name, refusal: 'EIO', ...serve } as Row
}

/** What `make` makes of an answer, at once when it is there. */
export function mapAnswer<A, B>(answer: MaybePromise<A>, make: (answer: A) => B): MaybePromise<B> {
  return answer instanceof Promise ? answer.then(make) : make(answer)
}
