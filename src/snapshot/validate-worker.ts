/** Runs `validateIndex` on a thread of its own: it is synchronous, and the file may have been made to keep SQLite busy for ever. */
import { parentPort, workerData } from 'node:worker_threads'
import { validateIndex } from './validate.ts'

parentPort?.postMessage(validateIndex(workerData as string))
