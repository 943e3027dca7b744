import type { S3StoreOptions } from '../store/s3-options.ts'

/** As written in settings. */
export type VendorId =
  | 'amazon'
  | 'digitalocean'
  | 'wasabi'
  | 'linode'
  | 'backblaze'
  | 'scaleway'
  | 'ibm'
  | 'google'
  | 'oracle'
  | 'jetbackup'
  | 'minio'
  | 'custom'

/** `source`: where that is documented. What is `unknown` is found out by trying. */
export type Capability =
  | { readonly supported: 'yes' | 'no'; readonly source: string }
  | { readonly supported: 'unknown' }

export interface VendorCapabilities {
  /** If-None-Match and If-Match of a PUT: without them, nothing keeps two writers apart. */
  readonly conditionalWrites: Capability
  /** What newer SDKs send unless they are told not to: `x-amz-checksum-…`, and trailers in an `aws-chunked` body. jbfs never sends them. */
  readonly checksums: Capability
  /** Older versions of objects are kept, or can be, and S3's own requests say so. */
  readonly versioning: Capability
  /** DeleteObjects: many keys in one request. */
  readonly multiDelete: Capability
  /** PutBucketLifecycleConfiguration, in S3's own form. */
  readonly lifecycle: Capability
  /** AbortIncompleteMultipartUpload in lifecycle rules. */
  readonly uploadRules: Capability
}

export interface Vendor {
  readonly id: VendorId
  readonly title: string
  /** With `{region}`, and `{bucket}` where it must stand elsewhere than `addressing` puts it; undefined: the user gives it. */
  readonly endpoint: string | undefined
  /** By region, where it is another one. */
  readonly regionalEndpoints?: Readonly<Record<string, string>>
  /** What to say to a user who must give the endpoint. */
  readonly endpointAdvice?: string
  /** undefined: any text. */
  readonly regions: readonly string[] | undefined
  /** Where it works for most, or the vendor takes any; undefined: only the bucket's own will do. */
  readonly defaultRegion: string | undefined
  readonly addressing: Exclude<S3StoreOptions['addressing'], 'endpoint'>
  readonly capabilities: VendorCapabilities
  /** Where endpoints and regions are documented. */
  readonly source: string | undefined
}

const yes = (source: string): Capability => ({ supported: 'yes', source })
const no = (source: string): Capability => ({ supported: 'no', source })
const unknown: Capability = { supported: 'unknown' }
const nothingKnown: VendorCapabilities = {
  conditionalWrites: unknown,
  checksums: unknown,
  versioning: unknown,
  multiDelete: unknown,
  lifecycle: unknown,
  uploadRules: unknown,
}

const words = (text: string): string[] => text.trim().split(/\s+/)

/**
 * The vendors a destination can name. Amazon gives path style up; with the others it is the safer one, as a dot in a bucket's name is at odds
 * with a wildcard certificate.
 */
export const vendors: readonly Vendor[] = [
  {
    id: 'amazon',
    title: 'Amazon S3',
    endpoint: 'https://s3.{region}.amazonaws.com',
    // Partitions with a domain of their own.
    regionalEndpoints: {
      'cn-north-1': 'https://s3.{region}.amazonaws.com.cn',
      'cn-northwest-1': 'https://s3.{region}.amazonaws.com.cn',
      'eusc-de-east-1': 'https://s3.{region}.amazonaws.eu',
    },
    regions: words(`
      us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 ca-west-1 mx-central-1 sa-east-1 sa-west-1
      eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3
      af-south-1 il-central-1 me-central-1 me-south-1 me-west-1
      ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
      ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
      cn-north-1 cn-northwest-1 eusc-de-east-1 us-gov-east-1 us-gov-west-1`),
    defaultRegion: 'us-east-1',
    addressing: 'virtual',
    capabilities: {
      conditionalWrites: yes('https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html'),
      checksums: yes('https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html'),
      versioning: yes('https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html'),
      multiDelete: yes('https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html'),
      lifecycle: yes(
        'https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html',
      ),
      uploadRules: yes(
        'https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html',
      ),
    },
    source: 'https://docs.aws.amazon.com/general/latest/gr/s3.html',
  },
  {
    id: 'digitalocean',
    title: 'DigitalOcean Spaces',
    endpoint: 'https://{region}.digitaloceanspaces.com',
    regions: words('ams3 atl1 blr1 fra1 lon1 nyc3 sfo2 sfo3 sgp1 syd1 tor1'),
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: {
      ...nothingKnown,
      versioning: yes('https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/'),
    },
    source: 'https://docs.digitalocean.com/reference/api/spaces/',
  },
  {
    id: 'wasabi',
    title: 'Wasabi',
    endpoint: 'https://s3.{region}.wasabisys.com',
    regions: words(`
      us-east-1 us-east-2 us-central-1 us-west-1 us-west-2 ca-central-1
      eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-south-1
      ap-northeast-1 ap-northeast-2 ap-southeast-1 ap-southeast-2`),
    defaultRegion: 'us-east-1',
    addressing: 'path',
    capabilities: {
      ...nothingKnown,
      versioning: yes('https://docs.wasabi.com/docs/bucket-versioning-enabledisable'),
    },
    source: 'https://docs.wasabi.com/docs/service-urls-for-wasabis-storage-regions',
  },
  {
    id: 'linode',
    title: 'Linode Object Storage',
    endpoint: 'https://{region}.linodeobjects.com',
    // The first part of the endpoint's host name, which is not always the name of the region elsewhere at Linode.
    regions: words(`
      us-east-1 us-iad-1 us-iad-10 us-lax-1 us-mia-1 us-ord-1 us-sea-1 us-sea-9 us-southeast-1 br-gru-1
      de-fra-1 es-mad-1 eu-central-1 fr-par-1 gb-lon-1 it-mil-1 nl-ams-1 se-sto-1
      ap-south-1 au-mel-1 id-cgk-1 in-bom-1 in-maa-1 jp-osa-1 jp-tyo-1 sg-sin-1`),
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: {
      ...nothingKnown,
      checksums: no('https://github.com/linode/terraform-provider-linode/issues/1834'),
      versioning: yes(
        'https://techdocs.akamai.com/cloud-computing/docs/versioning-retain-object-version-history',
      ),
    },
    source: 'https://techdocs.akamai.com/cloud-computing/docs/object-storage-product-limits',
  },
  {
    id: 'backblaze',
    title: 'Backblaze B2',
    endpoint: 'https://s3.{region}.backblazeb2.com',
    regions: words('us-west-000 us-west-001 us-west-002 us-west-004 us-east-005 eu-central-003 ca-east-006'),
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: {
      conditionalWrites: no('https://github.com/sathinduga/obsidian-s3-sync-and-backup/issues/78'),
      checksums: no('https://www.backblaze.com/docs/cloud-storage-s3-compatible-api'),
      // Always on.
      versioning: yes('https://www.backblaze.com/docs/cloud-storage-s3-compatible-api-bucket-versions'),
      multiDelete: yes('https://www.backblaze.com/apidocs/s3-delete-objects'),
      lifecycle: yes('https://www.backblaze.com/apidocs/s3-put-lifecycle-configuration'),
      uploadRules: yes('https://www.backblaze.com/apidocs/s3-get-lifecycle-configuration'),
    },
    source: 'https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api',
  },
  {
    id: 'scaleway',
    title: 'Scaleway Object Storage',
    endpoint: 'https://s3.{region}.scw.cloud',
    regions: words('fr-par nl-ams pl-waw it-mil'),
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: {
      conditionalWrites: yes(
        'https://www.scaleway.com/en/docs/object-storage/api-cli/using-conditional-writes/',
      ),
      checksums: yes(
        'https://www.scaleway.com/en/docs/object-storage/reference-content/supported-checksums/',
      ),
      versioning: yes('https://www.scaleway.com/en/docs/storage/object/api-cli/object-operations/'),
      multiDelete: yes('https://www.scaleway.com/en/docs/storage/object/api-cli/object-operations/'),
      lifecycle: yes('https://www.scaleway.com/en/docs/object-storage/api-cli/lifecycle-rules-api/'),
      uploadRules: yes('https://www.scaleway.com/en/docs/object-storage/api-cli/lifecycle-rules-api/'),
    },
    source: 'https://www.scaleway.com/en/docs/storage/object/concepts/',
  },
  {
    id: 'ibm',
    title: 'IBM Cloud Object Storage',
    endpoint: 'https://s3.{region}.cloud-object-storage.appdomain.cloud',
    // Regions, groups of them, and single data centers.
    regions: words(`
      us-south us-east eu-gb eu-de eu-es au-syd jp-tok jp-osa ca-tor ca-mon br-sao in-che
      us eu ap
      ams03 che01 mon01 par01 sjc04 sng01`),
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: {
      ...nothingKnown,
      versioning: yes(
        'https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-versioning',
      ),
      multiDelete: yes(
        'https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-object-operations',
      ),
    },
    source: 'https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-endpoints',
  },
  {
    id: 'google',
    title: 'Google Cloud Storage (interoperability)',
    endpoint: 'https://storage.googleapis.com',
    // One endpoint for all.
    regions: undefined,
    defaultRegion: 'auto',
    addressing: 'path',
    capabilities: {
      // ETags are conditions of requests that retrieve data; for writes there are generations, which S3 has not.
      conditionalWrites: no('https://docs.cloud.google.com/storage/docs/request-preconditions'),
      checksums: no('https://github.com/milvus-io/milvus-storage/pull/480'),
      versioning: yes('https://docs.cloud.google.com/storage/docs/xml-api/post-bucket'),
      multiDelete: yes('https://docs.cloud.google.com/storage/docs/xml-api/post-bucket'),
      // Rules there are actions with conditions, which is another form.
      lifecycle: no('https://docs.cloud.google.com/storage/docs/xml-api/put-bucket-lifecycle'),
      uploadRules: no('https://docs.cloud.google.com/storage/docs/xml-api/put-bucket-lifecycle'),
    },
    source: 'https://docs.cloud.google.com/storage/docs/request-endpoints',
  },
  {
    id: 'oracle',
    title: 'Oracle Cloud',
    endpoint: undefined,
    endpointAdvice:
      "with the tenancy's namespace in it: https://NAMESPACE.compat.objectstorage.{region}.oci.customer-oci.com",
    regions: undefined,
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: {
      ...nothingKnown,
      checksums: no('https://github.com/activepieces/activepieces/issues/14110'),
      // Versions exist, but not the requests that ask for them.
      versioning: no(
        'https://docs.public.content.oci.oraclecloud.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi_topic-Amazon_S3_Compatibility_API_Support.htm',
      ),
      multiDelete: yes(
        'https://docs.oracle.com/en-us/iaas/releasenotes/objectstorage/amazon_s3_compatibility_api_deleteobjects_bulkdelete_supports_new_checksum_algorithms.htm',
      ),
      lifecycle: no(
        'https://docs.public.content.oci.oraclecloud.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi_topic-Amazon_S3_Compatibility_API_Support.htm',
      ),
    },
    source: 'https://docs.oracle.com/en-us/iaas/Content/Object/s3-virtual-style.htm',
  },
  {
    id: 'jetbackup',
    title: 'JetBackup Storage',
    endpoint: 'https://{region}.storage.jetbackup.com',
    regions: words('eu-central-2 eu-west-1 eu-west-2 eu-east-1 eu-north-1 us-east-1'),
    defaultRegion: undefined,
    addressing: 'path',
    capabilities: nothingKnown,
    source: 'https://docs.jetbackup.com/jetbackup-storage/storageConsoleURLsAndAPIEndpoints.html',
  },
  {
    id: 'minio',
    title: 'MinIO',
    endpoint: undefined,
    endpointAdvice: "the server's own: https://minio.example.com:9000",
    regions: undefined,
    defaultRegion: 'us-east-1',
    addressing: 'path',
    capabilities: {
      // `If-None-Match: *` since RELEASE.2024-05-07T06-41-25Z.
      conditionalWrites: yes(
        'https://docs.min.io/enterprise/aistor-object-store/developers/s3-api-compatibility',
      ),
      checksums: unknown,
      versioning: yes('https://docs.min.io/minio/baremetal/concepts/bucket-versioning.html'),
      multiDelete: yes('https://docs.min.io/enterprise/aistor-object-store/developers/s3-api-compatibility'),
      lifecycle: yes('https://docs.min.io/enterprise/aistor-object-store/developers/s3-api-compatibility'),
      // A rule that does more loses this part without a word.
      uploadRules: no('https://docs.min.io/community/minio-object-store/reference/s3-api-compatibility.html'),
    },
    source: undefined,
  },
  {
    id: 'custom',
    title: 'Custom vendor',
    endpoint: undefined,
    endpointAdvice:
      "the vendor's own, with {region} and {bucket} where they belong: https://s3.{region}.example.com",
    regions: undefined,
    // Servers that are not Amazon's mostly do not care.
    defaultRegion: 'us-east-1',
    addressing: 'path',
    capabilities: nothingKnown,
    source: undefined,
  },
]

/** What the vendor's endpoint is made of in a region; undefined: the user gives it. */
export function endpointTemplate(
  { endpoint, regionalEndpoints }: Vendor,
  region: string,
): string | undefined {
  return regionalEndpoints?.[region] ?? endpoint
}
