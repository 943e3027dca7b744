import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { S3Server } from './s3-server.ts'

/** What somebody else does in a bucket, before and beside jbfs. */
export interface BucketHistory extends Disposable {
  readonly client: S3Client
  setVersioning(status: 'Enabled' | 'Suspended'): Promise<void>
  /** Another version, of five bytes. */
  put(key: string): Promise<void>
  delete(key: string): Promise<void>
  /** An upload with so many parts of 5 MiB that is never ended. */
  beginUpload(key: string, parts: number): Promise<void>
}

const partSize = 5 * 2 ** 20

export function bucketHistory(
  { endpoint, region, accessKeyId, secretAccessKey }: S3Server,
  Bucket: string,
): BucketHistory {
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  return {
    client,
    async setVersioning(Status) {
      await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
    },
    async put(Key) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: 'bytes' }))
    },
    async delete(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }))
    },
    async beginUpload(Key, parts) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
      for (let PartNumber = 1; PartNumber <= parts; PartNumber++) {
        const part = { Bucket, Key, UploadId, PartNumber, Body: Buffer.alloc(partSize) }
        await client.send(new UploadPartCommand(part))
      }
    },
    [Symbol.dispose]: () => client.destroy(),
  }
}
