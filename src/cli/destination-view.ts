import type { DestinationSettings } from '../destination/settings/destination-settings.ts'

/** A destination as `show` and `--json` tell it: all fields as they count, and of keys only where they come from. */
export interface DestinationView {
  readonly name: string
  readonly file: string
  readonly vendor: string
  readonly endpoint: string
  readonly addressing: string
  readonly bucket: string
  readonly region: string
  readonly backup_directory: string
  readonly read_only: boolean
  readonly owner: string
  /** `aws`: where the AWS tools look. */
  readonly keys: 'settings' | 'keys_file' | 'aws'
  readonly keys_file: string | null
  /** Where it is written. */
  readonly index_mapping: string | null
  readonly verify_ssl: boolean
  readonly ca_file: string | null
  readonly http_retries: number
  readonly max_concurrency: number
}

export function viewOf(destination: DestinationSettings): DestinationView {
  const { name, file, vendor, bucket, backupDirectory, readOnly, owner, keysFile, indexMapping, store } =
    destination
  const { endpoint, addressing, region, credentials, verifySsl, caFile, httpRetries, maxConcurrency } = store
  return {
    name,
    file,
    vendor: vendor.id,
    endpoint,
    addressing: addressing ?? vendor.addressing,
    bucket,
    region,
    backup_directory: `/${backupDirectory}`,
    read_only: readOnly,
    owner,
    keys: keysFile !== undefined ? 'keys_file' : credentials !== undefined ? 'settings' : 'aws',
    keys_file: keysFile ?? null,
    index_mapping: indexMapping?.file ?? null,
    verify_ssl: verifySsl,
    ca_file: caFile ?? null,
    http_retries: httpRetries,
    max_concurrency: maxConcurrency,
  }
}

export function placeOf({ bucket, backup_directory }: DestinationView): string {
  return `s3://${bucket}${backup_directory === '/' ? '' : backup_directory}`
}
