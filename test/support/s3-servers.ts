import { join } from 'node:path'

/** The real S3 servers that the tests run against, pinned. */
export const s3Servers = {
  versitygw: { version: 'v1.8.0', module: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0' },
  minio: {
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    module: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
  },
} as const
export type S3ServerName = keyof typeof s3Servers

/** Where `scripts/s3-servers.ts` puts a server; another version has another name. */
export function serverBinary(name: string): string {
  const { version } = s3Servers[name as S3ServerName]
  const folder =
    process.env.JBFS_TEST_BIN ?? join(import.meta.dirname, '../../node_modules/.cache/jbfs-test-bin')
  return join(folder, `${name}-${version}`)
}
