import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Semaphore } from '../base/semaphore.ts'
import { LeanClient } from './lean-client.ts'
import type { WriteGuard } from './object-store.ts'
import type { S3StoreOptions } from './s3-options.ts'
import type { S3Requests } from './s3-requests.ts'
import { addressOf, hostOf } from './s3-route.ts'

export interface LeanWay {
  readonly places: Semaphore
  /** Asked before anything goes out. */
  readonly guard?: WriteGuard | undefined
}

/** The lean way to the server that the SDK's requests go to, too. */
export function leanClientOf(
  options: S3StoreOptions,
  trust: SecureContext | undefined,
  requests: S3Requests,
  { places, guard }: LeanWay,
): LeanClient {
  const { region, verifyTls, connectTo, connectTimeout, responseTimeout } = options
  return new LeanClient({
    region,
    places,
    credentials: () => requests.credentials(),
    server: async () => {
      const route = await requests.route()
      const host = addressOf(route)
      const tls = {
        // An address has no name to ask for (RFC 6066).
        ...(isIP(host) === 0 && { servername: host }),
        rejectUnauthorized: verifyTls,
        ...(trust !== undefined && { secureContext: trust }),
      }
      return {
        host: connectTo?.host ?? host,
        port: connectTo?.port ?? route.port ?? (route.isTls ? 443 : 80),
        hostHeader: hostOf(route),
        basePath: route.basePath,
        tls: route.isTls ? tls : undefined,
        connectTimeout,
        responseTimeout,
        guard,
      }
    },
  })
}
