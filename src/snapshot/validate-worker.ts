/** Runs `validateIndex` on a thread of its own: it is synchronous, and the file may have been made to keep SQLite busy for ever. */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../base/errors.ts'
import { validateIndex } from './validate.ts'

try {
  parentPort?.postMessage(validateIndex(workerData as string))
} catch (error) {
  parentPort?.postMessage(`it cannot be read (${messageOf(error)})`)
}
