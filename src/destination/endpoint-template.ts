import { DestinationError } from './errors.ts'

/** What an endpoint may leave open, as `{region}` and `{bucket}`. */
export interface EndpointValues {
  readonly region: string
  readonly bucket: string
}

export interface FilledEndpoint {
  /** Without a slash at its end. */
  readonly url: string
  /** The bucket stands in it, in the host name or in the path, so that nobody else may add it. */
  readonly holdsBucket: boolean
}

const allowed =
  'say https://host, with a port and a path if need be, and {region} and {bucket} where they belong'

/** Fills in what a template of an endpoint leaves open; `https://` need not be said. Throws `bad-destination`. */
export function fillEndpoint(template: string, values: EndpointValues): FilledEndpoint {
  const text = withScheme(template.trim())
  refuseWhatIsNoEndpoint(text)
  const { region, bucket } = values
  const holdsBucket = text.includes('{bucket}')
  const isInHost = text.split('/')[2]?.includes('{bucket}') === true
  if (text.includes('{region}')) checkPart('region', region, 'A-Z a-z 0-9 . _ -')
  if (holdsBucket) checkPart('bucket', bucket, isInHost ? 'a-z 0-9 . -' : 'A-Z a-z 0-9 . _ -')
  const url = URL.parse(text.replaceAll('{region}', region).replace('{bucket}', bucket))
  if (url === null) throw refusal(`${JSON.stringify(template)} is no endpoint: ${allowed}`)
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`, holdsBucket }
}

function withScheme(text: string): string {
  return text === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`
}

function refuseWhatIsNoEndpoint(text: string): void {
  // First of all, as the other messages repeat the text: what stands before an @ may be keys.
  if (text.includes('@')) throw refusal(`keys do not belong in an endpoint: ${allowed}`)
  if (!/^https?:\/\//i.test(text)) throw refusal(`${JSON.stringify(text)} is no endpoint: ${allowed}`)
  if (/[?#\\\s]/.test(text))
    throw refusal(`${JSON.stringify(text)} is no endpoint, which ends with its path: ${allowed}`)
  const unknown = text
    .replaceAll('{region}', '')
    .replace('{bucket}', '')
    .match(/\{[^{}]*\}?|\}/)?.[0]
  if (unknown === '{bucket}')
    throw refusal('an endpoint names {bucket} once: in the host name or in the path')
  if (unknown !== undefined)
    throw refusal(`an endpoint may leave open {region} and {bucket}, not ${JSON.stringify(unknown)}`)
}

/** A host name or a folder of a path, so that nothing that is filled in leads elsewhere. */
function checkPart(name: string, text: string, characters: string): void {
  const set = characters.replaceAll(' ', '')
  if (!new RegExp(`^[${set}]+$`).test(text) || !/^[a-z0-9](.*[a-z0-9])?$/i.test(text))
    throw refusal(
      `the ${name} ${JSON.stringify(text)} cannot stand in this endpoint: it has only ${characters}, and a letter or digit at both ends`,
    )
}

function refusal(message: string): DestinationError {
  return new DestinationError('bad-destination', message)
}
