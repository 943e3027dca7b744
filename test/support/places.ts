import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { temporaryFolder } from './mounted.ts'
import { realS3Test } from './real-s3-test.ts'
import { runJbfs, type TextResult } from './run-jbfs.ts'
import { startS3Server } from './s3-server.ts'
import { testUnless } from './test-unless.ts'

/** A destination that is empty, and how to use it from the command line. */
export interface Place {
  /** As it is typed. */
  readonly destination: string
  /** To put there what a test is about. */
  readonly store: ObjectStore
  /** For files of the test. */
  readonly folder: string
  /** What sees the requests of `jbfs`; undefined where there are none. */
  readonly proxy: FaultProxy | undefined
  /** Of whoever uses the destination: the keys. */
  readonly env: Readonly<Record<string, string>>
  /** Runs `jbfs COMMAND DESTINATION[/below] …`. Indexes, and who this server is, are kept in `folder`. */
  jbfs(command: string, below?: string, ...args: string[]): Promise<TextResult>
}

/** The same test for a folder, and for each real S3 server that there is; skipped aloud for a reason. */
export function placesTest(
  title: string,
  body: (t: ExecutionContext, place: Place) => Promise<void>,
  reason?: string,
): void {
  testUnless(test, reason)(`directory: ${title}`, async (t) => {
    await using folder = await temporaryFolder()
    const destination = join(folder.path, 'store')
    await mkdir(destination)
    await body(t, {
      destination,
      store: new DirectoryStore(destination),
      folder: folder.path,
      proxy: undefined,
      env: {},
      jbfs: (command, below = '', ...args) => runJbfs([command, destination + below, ...args]),
    })
  })
  const onServer = async (t: ExecutionContext, name: string): Promise<void> => {
    await using folder = await temporaryFolder()
    await using server = await startS3Server(name)
    await using proxy = await startFaultProxy(server.endpoint)
    const bucket = await server.createBucket()
    const { endpoint, region, accessKeyId, secretAccessKey } = server
    using store = new S3Store({
      ...s3Defaults,
      bucket,
      prefix: 'web/',
      endpoint,
      region,
      addressing: 'path',
      credentials: { accessKeyId, secretAccessKey },
    })
    const destination = `s3://${bucket}/web`
    await body(t, {
      destination,
      store,
      folder: folder.path,
      proxy,
      env: server.env,
      jbfs: (command, below = '', ...args) =>
        runJbfs([command, destination + below, '--endpoint', proxy.endpoint, ...args], { env: server.env }),
    })
  }
  realS3Test(test, title, onServer, reason)
}
