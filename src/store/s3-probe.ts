import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Abortable } from '../base/abort.ts'
import { answerDate } from './answer-date.ts'
import { agentsOf } from './s3-client.ts'
import { s3Error } from './s3-errors.ts'
import type { S3StoreOptions } from './s3-options.ts'
import { S3Requests } from './s3-requests.ts'
import { addressOf, hostOf, type S3Route } from './s3-route.ts'
import { trustOf } from './s3-trust.ts'

/** What a server tells anybody, without keys. */
export interface S3Probe {
  /** Whom the connection is with: IP address, of a proxy where one is used. */
  readonly address: string
  /** undefined: plain HTTP. */
  readonly tls:
    | { readonly protocol: string; readonly issuer: string; readonly validUntil: string }
    | undefined
  /** Epoch milliseconds by the server's clock, exact to a second (RFC 9110 §6.6.1); undefined when it does not say. */
  readonly date: number | undefined
}

/** Asks for the head of the bucket without keys: any answer shows that there is a server. Rejects with a `StoreError`. */
export async function probeS3(options: S3StoreOptions, { signal }: Abortable = {}): Promise<S3Probe> {
  const trust = trustOf(options)
  using requests = new S3Requests(options, trust)
  const { httpAgent, httpsAgent } = agentsOf(options, trust)
  try {
    const route = await requests.route()
    const asked = {
      method: 'HEAD',
      host: addressOf(route),
      port: route.port,
      path: route.basePath,
      headers: { host: hostOf(route) },
      timeout: options.connectTimeout,
      signal,
    }
    return await new Promise((resolve, reject) => {
      const sent = route.isTls
        ? requestHttps({ ...asked, agent: httpsAgent })
        : requestHttp({ ...asked, agent: httpAgent })
      sent.on('response', (answer) => {
        resolve(probeOf(route, answer))
        answer.resume()
      })
      sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
      sent.on('error', reject)
      sent.end()
    })
  } catch (error) {
    signal?.throwIfAborted()
    throw s3Error(error, { store: `s3://${options.bucket}`, server: requests.server }, 'the server')
  } finally {
    httpAgent.destroy()
    httpsAgent.destroy()
  }
}

function probeOf({ isTls }: S3Route, { socket, headers }: IncomingMessage): S3Probe {
  return {
    address: socket.remoteAddress ?? '',
    tls: isTls ? tlsOf(socket as TLSSocket) : undefined,
    date: answerDate(headers.date).answered,
  }
}

function tlsOf(socket: TLSSocket): S3Probe['tls'] {
  const { issuer, valid_to: validUntil } = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol() ?? '',
    issuer: String(issuer?.O ?? issuer?.CN ?? 'an unknown authority'),
    validUntil,
  }
}
