import { StoreError, type StoreErrorCode, type StoreFault } from '../../store/errors.ts'
import { proxyOf } from '../../store/s3-proxy.ts'
import type { Destination } from '../parse-destination.ts'
import type { FieldName } from '../settings/fields.ts'
import { bad, type Check, type Finding } from './finding.ts'

/** What a store's error says of a destination. */
interface Cause {
  readonly check: Check
  /** undefined: what the error says itself. */
  readonly text?: (destination: Destination, error: StoreError) => string
  readonly advice: (destination: Destination, error: StoreError) => string
}

/** How a field is changed: by its name in the settings, or by what stands for it on the command line. */
function change(field: FieldName, { kind, ...destination }: Destination, value = '…'): string {
  const name = 'named' in destination ? destination.named?.name : undefined
  const flag = `--${field.replaceAll('_', '-')}`
  if (name !== undefined) return `jbfs destination edit ${name} ${flag} ${value}`
  return `${flag} ${value}`
}

/** Keys stand in no command. */
function changeKeys(destination: Destination): string {
  const named = destination.kind === 's3' ? destination.named : undefined
  if (named === undefined) return 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
  if (named.keysFile !== undefined) return `correct them in ${named.keysFile}`
  return `jbfs destination edit ${named.name} --keys-from-stdin`
}

const checkProxy = 'check user, password, host and port in HTTPS_PROXY, or name this server in NO_PROXY'

const causes: Readonly<Record<StoreFault | StoreErrorCode, Cause>> = {
  'no-host': {
    check: 'host',
    text: (to) => `there is no host ${serverOf(to)}`,
    advice: (to) =>
      proxyFor(to) === undefined
        ? `look for a typing error in the endpoint (${change('endpoint', to)}), and whether this machine can resolve other names`
        : checkProxy,
  },
  'connection-refused': {
    check: 'connection',
    text: (to) => `nothing answers at ${serverOf(to)} (connection refused)`,
    advice: (to) =>
      proxyFor(to) === undefined
        ? `look for the right port in the endpoint (${change('endpoint', to)}), and whether the server runs`
        : checkProxy,
  },
  proxy: {
    check: 'connection',
    text: () => 'the proxy lets nobody through',
    advice: () => checkProxy,
  },
  timeout: {
    check: 'connection',
    text: (to) => `${serverOf(to)} did not answer in time`,
    advice: () => 'a firewall may drop what goes there: open the way, or name a proxy in HTTPS_PROXY',
  },
  unavailable: {
    check: 'connection',
    advice: () => 'the server, or something on the way to it, has trouble: try again, and ask its operator',
  },
  untrusted: {
    check: 'TLS',
    text: () => "nobody that this machine trusts has signed the server's certificate",
    advice: (to) => `name the certificate of the authority that has: ${change('ca_file', to, 'FILE.pem')}`,
  },
  tls: {
    check: 'TLS',
    advice: (to) => `check the endpoint: ${change('endpoint', to)}`,
  },
  clock: {
    check: 'clock',
    text: () => 'this clock and that of the server are more than 15 minutes apart',
    advice: () => setClock,
  },
  'no-keys': { check: 'keys', text: () => 'there are none', advice: changeKeys },
  'unknown-key': {
    check: 'keys',
    text: () => 'the server does not know the access key',
    advice: (to) => `copy it once more, whole, from where this vendor shows it: ${changeKeys(to)}`,
  },
  'wrong-secret': {
    check: 'keys',
    text: () => 'the server knows the access key, and the secret key is not the one that belongs to it',
    advice: (to) => `copy the secret key once more, or make new keys: ${changeKeys(to)}`,
  },
  'session-token': {
    check: 'keys',
    text: () => 'the session token has run out, or is wrong',
    advice: (to) => `these keys were lent and must be renewed: ${changeKeys(to)}`,
  },
  region: {
    check: 'region',
    text: (to, { region }) =>
      `it is not ${to.store.region ?? 'us-east-1'}${region === undefined ? '' : `: the server says ${region}`}`,
    advice: (to, { region }) => change('region', to, region),
  },
  'no-bucket': {
    check: 'place',
    text: (to) => `there is no ${to.kind === 'directory' ? `folder ${to.path}` : `bucket ${to.bucket}`}`,
    advice: (to) =>
      to.kind === 'directory'
        ? 'make the folder, or look whether its disk is mounted'
        : `make it at the vendor, or correct its name${to.named ? `: ${change('bucket', to)}` : ''}`,
  },
  'no-permission': {
    check: 'list',
    text: () => 'the keys are right and may not list the bucket',
    advice: () => 'give them the permission s3:ListBucket',
  },
  'access-denied': {
    check: 'list',
    advice: () => 'give the user who runs jbfs the right to read the folder',
  },
  invalid: {
    check: 'list',
    advice: (to) => `check that this is the endpoint of an S3 server: ${change('endpoint', to)}`,
  },
  unsupported: { check: 'list', advice: () => 'this server does not speak as much of S3 as jbfs needs' },
  exists: { check: 'write', advice: tryAgain },
  changed: { check: 'write', advice: tryAgain },
  'read-only': { check: 'write', advice: () => 'mount it with --read-only' },
}

export const setClock = 'set the clock of this machine: timedatectl set-ntp true'

function tryAgain(): string {
  return 'something else writes there: try again'
}

/** What all connections are with, where there is one. */
function proxyFor({ store: { endpoint, region = 'us-east-1' } }: Destination): URL | undefined {
  return proxyOf({ endpoint, region })
}

/** For messages: host of the server, and of the proxy before it. */
export function serverOf(destination: Destination): string {
  const { endpoint } = destination.store
  const server = endpoint === undefined ? 'the S3 server' : new URL(endpoint).host
  const proxy = proxyFor(destination)
  return proxy === undefined ? server : `${server} (by way of the proxy ${proxy.host})`
}

/** What an error says of the destination, and what to do about it. What no store has said is thrown on. */
export function findingOf(error: unknown, destination: Destination): Finding {
  if (!(error instanceof StoreError)) throw error
  const { check, text } = causes[error.fault ?? error.code]
  return bad(check, text?.(destination, error) ?? error.message, adviceOn(error, destination))
}

/** What to do about an error of the destination's store, one line. */
export function adviceOn(error: StoreError, destination: Destination): string {
  return causes[error.fault ?? error.code].advice(destination, error)
}
