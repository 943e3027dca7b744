import type { StoreOptions } from '../parse-destination.ts'
import type { Vendor } from '../vendors.ts'

/** A destination as the settings describe it: checked, completed, and with its endpoint made of the region. */
export interface DestinationSettings {
  readonly name: string
  /** Where it is written. */
  readonly file: string
  readonly vendor: Vendor
  readonly bucket: string
  /** Without slashes at its ends; '' for the whole bucket. */
  readonly backupDirectory: string
  readonly readOnly: boolean
  /** What this server calls itself at the destination. */
  readonly owner: string
  /** Without keys that lie in the `keysFile`. */
  readonly store: StoreOptions & { readonly endpoint: string; readonly region: string }
  /** Absolute. */
  readonly keysFile: string | undefined
  /** Something else writes there, so that it is `readOnly`. */
  readonly indexMapping: IndexMapping | undefined
}

/** How the index of another program is read, as it is written: what it says only `foreign/` knows. */
export interface IndexMapping {
  /** Absolute: the settings, or a file that holds nothing else. */
  readonly file: string
  /** undefined: it is what the file says. */
  readonly table: object | undefined
}
