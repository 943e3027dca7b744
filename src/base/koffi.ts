import { createRequire } from 'node:module'
import { JbfsError } from './errors.ts'

type Koffi = typeof import('koffi')

export interface Libc {
  readonly koffi: Koffi
  /** Binds a function by its C declaration. */
  func(declaration: string): (...args: unknown[]) => number | bigint
}

let libc: Libc | undefined

/**
 * The C library, through koffi, for the few calls that Node has not. koffi is an optional dependency: without it this throws
 * `no-koffi`, and all that needs it says so.
 */
export function loadLibc(): Libc {
  if (libc !== undefined) return libc
  let koffi: Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi
  } catch (error) {
    throw new JbfsError(
      'no-koffi',
      'this needs the npm package koffi, which is not installed (npm install koffi)',
      {
        cause: error,
      },
    )
  }
  const library = koffi.load('libc.so.6')
  libc = { koffi, func: (declaration) => library.func(declaration) as ReturnType<Libc['func']> }
  return libc
}
