import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Calls `onSync` with the path of each file that fsyncSync(2) is asked for, before it is done; until it is disposed of. */
export function watchSyncs(onSync: (path: string) => void): Disposable {
  const real = fs.fsyncSync
  const set = (fsync: typeof real): void => {
    fs.fsyncSync = fsync
    syncBuiltinESMExports()
  }
  set((fd) => {
    onSync(fs.readlinkSync(`/proc/self/fd/${fd}`))
    real(fd)
  })
  return { [Symbol.dispose]: () => set(real) }
}
