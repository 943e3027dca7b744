/**
 * A writer in a process of its own, for tests that stop it: takes the lease of a destination and puts small objects, one after the other, until it loses it. Prints `acquired`, then a line
 * for each object, then the code of the error that ended it.
 *
 *   node test/support/lease-writer.ts DESTINATION ENDPOINT LEASE-SECONDS
 */
import { randomBytes } from 'node:crypto'
import { codeOf } from '../../src/base/errors.ts'
import { silentLogger } from '../../src/base/log.ts'
import { acquireDestination } from '../../src/destination/destination.ts'
import { parseDestination, storeDefaults } from '../../src/destination/parse-destination.ts'
import { objectKey } from '../../src/store/object-store.ts'

const [text = '', endpoint = '', seconds = ''] = process.argv.slice(2)
const store = { ...storeDefaults, ...(endpoint !== '' && { endpoint }) }
const { store: writable } = await acquireDestination(parseDestination(text, store), {
  logger: silentLogger,
  owner: { id: 'the one server', host: 'here', name: 'here' },
  program: 'writer',
  leaseSeconds: Number(seconds),
})
console.log('acquired')
try {
  for (let i = 0; ; i++) {
    await writable.put(objectKey(`files/${process.pid}-${i}`), randomBytes(20_000))
    console.log(i)
  }
} catch (error) {
  console.log(codeOf(error))
  process.exit(0)
}
