/** What `validateUntrusted` starts: looks at the index that the first argument names, and sends what `validateIndex` says of it. */
import { validateIndex } from './validate.ts'

process.send?.(validateIndex(process.argv[2] as string), () => process.disconnect())
