/** What `validateUntrusted` starts: looks at a share (second argument) of the index that the first one names, and sends what `validateIndex` says of it. */
import { flushCompileCache } from 'node:module'
import { type ValidationShare, validateIndex } from './validate.ts'

// It is killed when it has answered.
flushCompileCache()
const [, , path = '', share] = process.argv
process.send?.(validateIndex(path, [share as ValidationShare]), () => process.disconnect())
