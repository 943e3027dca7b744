import { hash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'

/** The SDK's own request, as far as it is looked at. */
interface SdkRequest {
  readonly headers: Record<string, string>
  readonly body?: unknown
}

/**
 * Requests that must carry a checksum (DeleteObjects, and those that configure a bucket) carry `Content-MD5`. The CRC32 that the SDK sends since 3.729 is refused by servers that
 * know only older S3; all know this one, Amazon's among them.
 */
export function useContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const { headers, body } = args.request as SdkRequest
      if (!('x-amz-sdk-checksum-algorithm' in headers)) return next(args)
      for (const name of Object.keys(headers)) if (/^x-amz-(sdk-)?checksum-/.test(name)) delete headers[name]
      headers['content-md5'] = hash('md5', body as string | Uint8Array, 'base64')
      return next(args)
    },
    // Behind the SDK's own checksum, before the signature.
    { step: 'build', priority: 'low' },
  )
}
