import test from 'ava'
import { mountedSuite } from './suite.ts'

mountedSuite(test, { transport: 'kernel', lacks: new Set() })
