import type { Logger } from '../base/log.ts'
import type { FuseOperations } from './operations.ts'

/**
 * What carries requests between the kernel and `FuseOperations`: `kernel-transport.ts` speaks the protocol itself,
 * `libfuse-transport.ts` goes through fuse-native. Both pass the suite in `test/mounted/`.
 */
export type Transport = (options: TransportOptions) => Promise<Mount>

export interface TransportOptions {
  /** Absolute and canonical. */
  readonly mountpoint: string
  /** Shown as the source in /proc/mounts. */
  readonly source: string
  /** Let other users in; the kernel then checks permissions as in any file system. */
  readonly allowOther: boolean
  /** An open /dev/fuse on which somebody else has already done mount(2). */
  readonly fuseFd?: number | undefined
  readonly operations: FuseOperations
  readonly toErrno: (error: unknown, operation: string) => number
  /** Seconds for which the kernel remembers that a name is absent. */
  readonly negativeValid: number
  readonly logger: Logger
}

/** A mounted filesystem that answers. */
export interface Mount {
  /** Settles when it is unmounted, by whomever; rejects when the transport failed. */
  readonly done: Promise<void>
  /** Asks the kernel to unmount; rejects with `busy` while something uses it. `lazy`: detach now, end when the last user leaves. */
  unmount(options?: { lazy?: boolean }): Promise<void>
  /** See `Session`; a transport that cannot tell the kernel resolves to false. */
  invalidateEntry(parent: number, name: string): Promise<boolean>
  invalidateInode(nodeid: number, offset?: number, length?: number): Promise<boolean>
  /** Requests served, by operation. */
  counts(): Readonly<Record<string, number>>
}
