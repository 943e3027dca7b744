import type { Owner } from './owner-record.ts'

/** Another server with the name of this one: most often this machine, from before it was installed anew. */
function isNamesake(other: Owner, self: Owner): boolean {
  return other.id !== self.id && (other.host === self.host || other.name === self.name)
}

/** For messages, behind the owner's name: nobody must take `belongs to web1` on web1 for a mistake. */
export function namesakeText(other: Owner, self: Owner): string {
  return isNamesake(other, self)
    ? ' (ANOTHER server of the same name as this one: of a machine that was installed anew, lost its state folder, or was cloned)'
    : ''
}

/** What may be the better thing to do; undefined where the names differ. */
export function namesakeAdvice(other: Owner, self: Owner): string | undefined {
  return isNamesake(other, self)
    ? 'if that server is this one, put its `server-id` back into the state folder, or name that folder with --state-dir'
    : undefined
}

/** The same before other advice. */
export function withNamesakeAdvice(advice: string, other: Owner, self: Owner): string {
  const first = namesakeAdvice(other, self)
  return first === undefined ? advice : `${first}; else ${advice}`
}
