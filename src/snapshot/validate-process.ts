/** What `validateUntrusted` starts: looks at a share (second argument) of the index that the first one names, and sends what `validateIndex` says of it. */
import { type ValidationShare, validateIndex } from './validate.ts'

const [, , path = '', share] = process.argv
process.send?.(validateIndex(path, [share as ValidationShare]), () => process.disconnect())
