import { getProxyForUrl } from 'proxy-from-env'
import { StoreError } from './errors.ts'
import type { S3StoreOptions } from './s3-options.ts'

/**
 * The proxy that the environment wants used for this server (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, in either case); undefined for none. It may hold a
 * password. Throws `invalid` where it is no URL of one.
 */
export function proxyOf({ endpoint, region }: Pick<S3StoreOptions, 'endpoint' | 'region'>): URL | undefined {
  const text = getProxyForUrl(endpoint ?? `https://s3.${region}.amazonaws.com`)
  if (text === '') return undefined
  const proxy = URL.parse(text)
  if (proxy !== null && /^https?:$/.test(proxy.protocol)) return proxy
  // What it is may hold a password.
  throw new StoreError(
    'invalid',
    'the proxy that the environment names is no URL such as http://proxy.example.com:3128: set HTTPS_PROXY, or NO_PROXY for this server',
  )
}

/** For an agent of Node's, which finds no proxy by itself. */
export function proxyOptionsOf(options: Pick<S3StoreOptions, 'endpoint' | 'region'>): {
  readonly proxyEnv?: Record<string, string>
} {
  const proxy = proxyOf(options)
  return proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy.href, HTTPS_PROXY: proxy.href } }
}
