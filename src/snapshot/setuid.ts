const setuid = 0o4000
const setgid = 0o2000
const groupExecute = 0o010

/** As Linux does when who may not keep the bits changes a file: setgid without group execute is for locks, and stays. */
export function withoutSetuid(mode: number): number {
  return mode & ~(setuid | (mode & groupExecute ? setgid : 0))
}
