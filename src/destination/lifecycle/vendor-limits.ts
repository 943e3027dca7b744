import { type Vendor, type VendorId, vendors } from '../vendors.ts'
import type { RecommendedDays } from './recommended.ts'

/** What is known beforehand of a server's lifecycle rules. */
export interface LifecycleLimits {
  /** Why rules are neither asked for nor set; undefined: they are. */
  readonly refusal: string | undefined
  /** Whether a rule can abort incomplete uploads, as far as its vendor says. */
  readonly hasUploadRules: boolean
}

/** For what the server itself does not know. */
export const unknownRules =
  "the server has no lifecycle rules: remove noncurrent versions and incomplete uploads with the server's own tools"

/** `id` is undefined for a destination without a name. */
export function limitsOf(id: VendorId | undefined): LifecycleLimits {
  const vendor = vendors.find((candidate) => candidate.id === id)
  return { refusal: refusalOf(vendor), hasUploadRules: vendor?.capabilities.uploadRules.supported !== 'no' }
}

/** What is recommended, as far as the server takes it. `server` is what it calls itself. */
export function daysAt(days: RecommendedDays, limits: LifecycleLimits, server: string): RecommendedDays {
  return hasUploadRules(limits, server) ? days : { ...days, upload: undefined }
}

/** What is to be said of the rules at this server. */
export function notesAt(limits: LifecycleLimits, server: string): string[] {
  return hasUploadRules(limits, server) ? [] : [minioUploads]
}

const minioUploads =
  'MinIO takes no rule for incomplete uploads: it removes them itself, after 24 hours unless it is set otherwise'

/** The one server that has lifecycle rules but not these says what it is, unless a proxy stands before it. */
function hasUploadRules(limits: LifecycleLimits, server: string): boolean {
  return limits.hasUploadRules && !server.startsWith('MinIO')
}

function refusalOf(vendor: Vendor | undefined): string | undefined {
  const lifecycle = vendor?.capabilities.lifecycle
  return lifecycle?.supported === 'no'
    ? `${vendor?.title} does not take S3's lifecycle rules (${lifecycle.source}): set its own with its own tools`
    : undefined
}
