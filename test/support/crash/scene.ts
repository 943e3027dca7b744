import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DirectoryStore } from '../../../src/store/directory-store.ts'
import type { ObjectReader } from '../../../src/store/object-store.ts'
import { s3Defaults } from '../../../src/store/s3-options.ts'
import { S3Store } from '../../../src/store/s3-store.ts'
import { startFaultProxy } from '../fault-proxy.ts'
import { output } from '../run.ts'
import { startS3Server } from '../s3-server.ts'
import { type Fault, fullDiskFault, serverFault, stormFault } from './faults.ts'
import type { CrashOptions } from './rounds.ts'

export const stores = ['folder', 'versitygw', 'minio'] as const
export type StoreName = (typeof stores)[number]
export const faultNames = ['none', 'server', 'storm', 'disk'] as const
export type FaultName = (typeof faultNames)[number]

export type Scene = Pick<
  CrashOptions,
  'folder' | 'stateDir' | 'destination' | 'env' | 'writerArgs' | 'readerArgs' | 'store' | 'fault'
> &
  AsyncDisposable

/** Small enough to be filled in no time, and large enough for all that the workload keeps, twice. */
const diskSize = '24m'

/** A destination of its own below `folder`, and what goes wrong there. Dispose to stop and unmount what it has started. */
export async function prepareScene(
  folder: string,
  { store: name, fault: faultName }: { readonly store: StoreName; readonly fault: FaultName },
): Promise<Scene> {
  await using preparing = new AsyncDisposableStack()
  const stateDir = join(folder, 'state')
  await mkdir(stateDir)
  let fault: Fault | undefined
  if (faultName === 'disk') {
    await output('mount', ['-t', 'tmpfs', '-o', `size=${diskSize}`, 'jbfs-crash', stateDir])
    preparing.defer(async () => void (await output('umount', ['-l', stateDir])))
    fault = fullDiskFault(stateDir)
  }
  if (name === 'folder') {
    if (faultName === 'server' || faultName === 'storm')
      throw new Error(`${faultName}: only for an S3 server`)
    const destination = join(folder, 'destination')
    await mkdir(destination)
    const store = new DirectoryStore(destination)
    return { folder, stateDir, destination, store, fault, ...moved(preparing) }
  }
  const server = preparing.use(await startS3Server(name))
  const { endpoint, region, env } = server
  const bucket = await server.createBucket()
  if (faultName === 'server') fault = serverFault(server)
  let writerEndpoint = endpoint
  if (faultName === 'storm') {
    const proxy = preparing.use(await startFaultProxy(endpoint))
    fault = stormFault(proxy)
    writerEndpoint = proxy.endpoint
  }
  const { accessKeyId, secretAccessKey } = server
  const store: ObjectReader & Disposable = preparing.use(
    new S3Store({
      ...s3Defaults,
      bucket,
      prefix: 'backups/',
      endpoint,
      region,
      addressing: 'path',
      credentials: { accessKeyId, secretAccessKey },
    }),
  )
  return {
    folder,
    stateDir,
    destination: `s3://${bucket}/backups`,
    env,
    writerArgs: ['--endpoint', writerEndpoint],
    readerArgs: ['--endpoint', endpoint],
    store,
    fault,
    ...moved(preparing),
  }
}

function moved(preparing: AsyncDisposableStack): AsyncDisposable {
  const prepared = preparing.move()
  return { [Symbol.asyncDispose]: () => prepared.disposeAsync() }
}
