import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { SecureContext } from 'node:tls'
import { S3Client } from '@aws-sdk/client-s3'
import { useContentMd5 } from './content-md5.ts'
import { guardConnections } from './guarded-agent.ts'
import type { S3StoreOptions } from './s3-options.ts'
import { proxyOptionsOf } from './s3-proxy.ts'

/** What commands give as their bucket: with `bucketEndpoint`, the SDK takes the endpoint itself for it. */
export function bucketOf({ addressing, endpoint, bucket }: S3StoreOptions): string {
  return addressing === 'endpoint' && endpoint !== undefined ? endpoint : bucket
}

/** For messages: `s3://bucket/path`. */
export function descriptionOf({ bucket, prefix }: S3StoreOptions): string {
  return `s3://${bucket}/${prefix}`.replace(/\/$/, '')
}

/** Connections as all requests of a store are to use them. */
export function agentsOf(
  options: S3StoreOptions,
  trust: SecureContext | undefined,
): { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent } {
  // `S3Requests` bounds the requests: one that waited for a socket in here would use up the time it has to connect.
  const agentOptions = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, ...proxyOptionsOf(options) }
  const tlsOptions = {
    rejectUnauthorized: options.verifyTls,
    ...(trust !== undefined && { secureContext: trust }),
  }
  return {
    httpAgent: connecting(new HttpAgent(agentOptions), options),
    httpsAgent: connecting(new HttpsAgent({ ...agentOptions, ...tlsOptions }), options),
  }
}

/** The SDK's client, with its own retries off. */
export function createClient(options: S3StoreOptions, trust: SecureContext | undefined): S3Client {
  const client = new S3Client({
    region: options.region,
    forcePathStyle: options.addressing === 'path',
    bucketEndpoint: options.addressing === 'endpoint',
    // Trying again is withRetry's, which knows what was asked.
    maxAttempts: 1,
    // Checksum trailers break servers that only speak older S3; our objects carry their own SHA-256.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Nor do all servers and proxies know `Expect: 100-continue`.
    expectContinueHeader: false,
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(options.credentials !== undefined && { credentials: options.credentials }),
    requestHandler: {
      ...agentsOf(options, trust),
      connectionTimeout: options.connectTimeout,
      requestTimeout: options.responseTimeout,
      socketTimeout: options.responseTimeout,
      throwOnRequestTimeout: true,
    },
  })
  useContentMd5(client)
  return client
}

function connecting<Agent extends HttpAgent>(agent: Agent, { connectTo, guard }: S3StoreOptions): Agent {
  if (connectTo !== undefined) {
    const connect = agent.createConnection.bind(agent)
    agent.createConnection = (options, callback) => connect({ ...options, ...connectTo }, callback)
  }
  return guard === undefined ? agent : guardConnections(agent, guard)
}
