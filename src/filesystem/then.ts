import type { MaybePromise } from '../fuse/operations.ts'

/** As `await`, without a turn of the event loop where there is nothing to wait for. */
export function then<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
