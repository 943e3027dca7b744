import type { ChangeOperations } from '../../src/fuse/operations.ts'
import { Request } from '../../src/fuse/request.ts'
import { attr, entry } from './served.ts'

/** The node that every operation which makes one answers with. */
export const madeNode = 9

const answers: Record<keyof ChangeOperations, (...args: unknown[]) => unknown> = {
  open: () => {},
  create: () => entry(madeNode),
  createUnnamed: () => entry(madeNode),
  flush: () => {},
  close: () => {},
  write: () => {},
  fsync: () => {},
  fsyncFolder: () => {},
  setAttributes: (nodeid) => ({ attr: attr(nodeid as number), attrValid: 1 }),
  makeNode: () => entry(madeNode),
  makeFolder: () => entry(madeNode),
  makeSymlink: () => entry(madeNode),
  link: () => entry(madeNode),
  unlink: () => {},
  removeFolder: () => {},
  rename: () => {},
  allocate: () => {},
  copyRange: (_from, _to, length) => length,
  setxattr: () => {},
  removexattr: () => {},
}

export interface Told {
  readonly changes: ChangeOperations
  /** Each call: its name, its arguments without the context, bytes as latin1. */
  readonly told: unknown[][]
  /** Of each call with a context, who asked. */
  readonly callers: [uid: number, gid: number][]
}

/** Changes that are only written down. `answer`: what every call gives, or throws, in place of its own answer. */
export function recordedChanges(answer?: (name: string) => unknown): Told {
  const told: unknown[][] = []
  const callers: [number, number][] = []
  const entries = Object.entries(answers).map(([name, own]) => [
    name,
    (...args: unknown[]) => {
      const context = args.at(-1)
      if (context instanceof Request) callers.push([context.uid, context.gid])
      const plain = args.filter((arg) => arg !== context || !(context instanceof Request))
      told.push([name, ...plain.map((arg) => (Buffer.isBuffer(arg) ? arg.toString('latin1') : arg))])
      return answer === undefined ? own(...args) : answer(name)
    },
  ])
  return { changes: Object.fromEntries(entries) as ChangeOperations, told, callers }
}
