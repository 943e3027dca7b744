import type { Secret } from '../base/secret.ts'

/** What requests to a store are signed with. */
export interface Credentials {
  readonly accessKey: Secret
  readonly secretKey: Secret
  /** Of keys that are lent for a while. */
  readonly sessionToken?: Secret | undefined
}
