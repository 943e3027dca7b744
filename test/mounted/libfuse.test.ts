import test from 'ava'
import { mountedSuite } from './suite.ts'

// The reasons are in native-notes/fuse.md.
mountedSuite(test, { transport: 'libfuse', lacks: new Set(['names', 'nanoseconds', 'links', 'holes']) })
