import { namesakeAdvice, namesakeText, withNamesakeAdvice } from '../destination/namesake.ts'
import type { Owner } from '../destination/owner-record.ts'
import { ageText, ownerText } from '../destination/ownership.ts'
import { type Destination, formatDestination } from '../destination/parse-destination.ts'
import { type FoundOwner, secondsUntilFree } from '../destination/takeover.ts'
import { takeoverCommandLine } from '../destination/takeover-command-line.ts'

interface Known {
  readonly found: FoundOwner
  /** This server. */
  readonly self: Owner
}

/** Behind the name of a directory: what is known before it is taken over. */
function whoseText({ found, self }: Known): string {
  if (found === undefined) return "it is nobody's yet"
  if (found === 'unreadable') return 'what says whose it is cannot be understood'
  const { lease, owner } = found.record
  const isLive = lease !== undefined && found.age < lease.seconds
  const whose = `it belongs to ${ownerText(found)}${namesakeText(owner, self)}`
  return isLive
    ? `${whose}, which is WRITING TO IT NOW (${lease.program}, process ${lease.pid}): what it has not stored yet will not get there`
    : `${whose}, last heard of ${ageText(found.age)} ago`
}

/** Why a folder in an owned directory is not taken over, and what can be. */
export function insideText(inner: Destination, outer: Destination, known: Known): string {
  const around = formatDestination(outer)
  const advice = `take over all of ${around}: ${takeoverCommandLine(outer)}`
  const other = otherOwner(known)
  return (
    `${formatDestination(inner)} is a part of ${around}, and is not taken over alone; ${whoseText(known)}: ` +
    (other === undefined ? advice : withNamesakeAdvice(advice, other, known.self))
  )
}

/** What is to be known before it is agreed to, a sentence each; `others`: whose folders in it stay theirs. */
export function linesBefore(description: string, known: Known, others: string | undefined): string[] {
  const other = otherOwner(known)
  const instead = other && namesakeAdvice(other, known.self)
  return [`${description}: ${whoseText(known)}`, instead, others].filter((line) => line !== undefined)
}

function otherOwner({ found }: Known): Owner | undefined {
  return found === undefined || found === 'unreadable' ? undefined : found.record.owner
}

export function takenText(description: string, { name }: Owner, before: FoundOwner): string {
  const wait = Math.ceil(secondsUntilFree(before))
  const later = wait > 0 ? `; it can be written to in ${wait} s, when its writer has seen it` : ''
  return `${description} belongs to ${name} now${later}`
}
