import type { ForeignLayout } from './layout.ts'
import { json } from './layouts/json.ts'
import { manifest } from './layouts/manifest.ts'
import { numeric } from './layouts/numeric.ts'
import { parents } from './layouts/parents.ts'
import { paths } from './layouts/paths.ts'
import { shared } from './layouts/shared.ts'
import { wal } from './layouts/wal.ts'

export const foreignLayouts: readonly ForeignLayout[] = [paths, parents, numeric, wal, shared, json, manifest]
