/**
 * What an S3 server takes from a plain parallel program: the yardstick of `npm run bench:write`. Puts the files of a folder, or one file in parts of 16 MiB, by the AWS SDK.
 *
 *   node scripts/plain-writer.ts ENDPOINT BUCKET files CONNECTIONS FOLDER
 *   node scripts/plain-writer.ts ENDPOINT BUCKET parts CONNECTIONS FILE
 *
 * Keys of the store come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Prints {"seconds"}.
 */
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

const partBytes = 16 << 20

const [endpoint = '', Bucket = '', what, connections = '64', path = ''] = process.argv.slice(2)
/** Of each run its own: a server need not make room for what takes the place of something else. */
const prefix = `plain-${Date.now()}`
const client = new S3Client({
  endpoint,
  region: process.env.AWS_REGION ?? 'us-east-1',
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
})

/** All of these, so many at a time. */
async function each(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: Number(connections) }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

async function putFiles(): Promise<void> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((file) => join(file.parentPath, file.name))
  await each(files.length, async (i) => {
    const Body = await readFile(files[i] as string)
    await client.send(new PutObjectCommand({ Bucket, Key: `${prefix}/${i}`, Body }))
  })
}

async function putParts(): Promise<void> {
  await using file = await open(path)
  const { size } = await file.stat()
  const target = { Bucket, Key: `${prefix}/large` }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(target))
  const Parts: { ETag: string | undefined; PartNumber: number }[] = []
  await each(Math.ceil(size / partBytes), async (i) => {
    const Body = Buffer.allocUnsafeSlow(Math.min(partBytes, size - i * partBytes))
    await file.read(Body, 0, Body.length, i * partBytes)
    const PartNumber = i + 1
    const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }))
    Parts[i] = { ETag, PartNumber }
  })
  await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }))
}

const started = performance.now()
await (what === 'parts' ? putParts() : putFiles())
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000 }))
client.destroy()
