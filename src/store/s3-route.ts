import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'

/** Where requests for a bucket go. */
export interface S3Route {
  readonly isTls: boolean
  /** With the bucket, if it stands there; an IPv6 address in brackets. */
  readonly hostname: string
  /** undefined: the usual one. */
  readonly port: number | undefined
  /** Before the key; begins and ends in a slash. */
  readonly basePath: string
  /** For messages: host without the bucket, with the port where it is not the usual one. */
  readonly server: string
}

const key = 'key'

/**
 * Asks the SDK, by a request that is stopped before it is sent: only the SDK knows all that decides (environment, profile, partition,
 * names that cannot stand in a host name), and another guess would send keys and requests elsewhere.
 */
export async function routeOf(client: S3Client, bucket: string): Promise<S3Route> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key })
  const route = Promise.withResolvers<S3Route>()
  command.middlewareStack.add(
    () =>
      async ({ request }) => {
        route.resolve(partsOf(request as SdkRequest, bucket))
        return { output: { $metadata: {} }, response: undefined }
      },
    { step: 'build', priority: 'low' },
  )
  await client.send(command)
  return route.promise
}

/** The SDK's own request, as far as it is looked at. */
interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
}

function partsOf({ protocol, hostname, port, path }: SdkRequest, bucket: string): S3Route {
  const basePath = path.slice(0, -key.length)
  const isInHost = hostname.startsWith(`${bucket}.`) && !basePath.endsWith(`/${bucket}/`)
  const server = hostOf({ hostname: isInHost ? hostname.slice(bucket.length + 1) : hostname, port })
  return { isTls: protocol === 'https:', hostname, port, basePath, server }
}

/** For headers and messages. */
export function hostOf({ hostname, port }: Pick<S3Route, 'hostname' | 'port'>): string {
  return port === undefined ? hostname : `${hostname}:${port}`
}

/** For sockets: only in a URL and in a Host header an IPv6 address stands in brackets. */
export function addressOf({ hostname }: Pick<S3Route, 'hostname'>): string {
  return hostname.replaceAll(/^\[|\]$/g, '')
}
