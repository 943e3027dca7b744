import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { authorities, type S3StoreOptions } from './s3-options.ts'

/** The SDK's client, with its own retries off. */
export function createClient(options: S3StoreOptions): S3Client {
  const agentOptions = { keepAlive: true, maxSockets: options.maxConnections }
  return new S3Client({
    region: options.region,
    forcePathStyle: options.addressing === 'path',
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
      httpAgent: new HttpAgent(agentOptions),
      httpsAgent: new HttpsAgent({
        ...agentOptions,
        rejectUnauthorized: options.verifyTls,
        ...authorities(options),
      }),
      connectionTimeout: options.connectTimeout,
      requestTimeout: options.responseTimeout,
      socketTimeout: options.responseTimeout,
      throwOnRequestTimeout: true,
      // Our own bound on requests makes waiting for a socket an ordinary thing.
      socketAcquisitionWarningTimeout: 3_600_000,
    },
  })
}
