import type { S3Probe } from '../../store/s3-probe.ts'
import type { S3Destination } from '../parse-destination.ts'
import { serverOf, setClock } from './causes.ts'
import { bad, doubtful, type Finding, good } from './finding.ts'

/** S3 refuses requests that are signed with a time further off than this. Seconds. */
const largestSkew = 15 * 60
/** Nothing fails by it yet. Seconds. */
const doubtfulSkew = 60

/** What a server that answers shows before any key is used. `now`: epoch milliseconds when it answered. */
export function serverFindings(destination: S3Destination, probe: S3Probe, now = Date.now()): Finding[] {
  const findings = [good('host', serverOf(destination)), good('connection', `${probe.address} answers`)]
  return [...findings, tlsFinding(destination, probe), clockFinding(probe, now)]
}

function tlsFinding({ store }: S3Destination, { tls }: S3Probe): Finding {
  if (tls === undefined)
    return doubtful(
      'TLS',
      'not used: all that is sent and received can be read on the way',
      'use an endpoint that begins with https://',
    )
  const text = `${tls.protocol}, signed by ${tls.issuer}, valid until ${tls.validUntil}`
  if (store.verifySsl) return good('TLS', text)
  const why = 'its certificate is not checked (verify_ssl is off), so this may be any server'
  return doubtful('TLS', `${tls.protocol}: ${why}`, 'name the authority with ca_file instead')
}

function clockFinding({ date }: S3Probe, now: number): Finding {
  if (date === undefined) return doubtful('clock', 'the server does not tell the time')
  const skew = Math.round((now - date) / 1000)
  const text = `${amountOf(skew)} ${skew < 0 ? 'behind' : 'ahead of'} the server's`
  if (Math.abs(skew) > largestSkew) return bad('clock', `${text}, and 15 minutes are allowed`, setClock)
  return Math.abs(skew) > doubtfulSkew ? doubtful('clock', text, setClock) : good('clock', text)
}

function amountOf(seconds: number): string {
  const amount = Math.abs(seconds)
  return amount < 120 ? `${amount} s` : `${Math.round(amount / 60)} min`
}
