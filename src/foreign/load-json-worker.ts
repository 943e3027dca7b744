import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { codeOf, messageOf } from '../base/errors.ts'
import { JsonTables } from './json-tables.ts'

/** What `loadJson` starts: undefined when it is done, else why it is not. */
export type LoadAnswer = undefined | { readonly code: string | undefined; readonly message: string }

function load({ from, to }: { readonly from: string; readonly to: string }): LoadAnswer {
  try {
    JsonTables.read(readFileSync(from)).write(to)
    return undefined
  } catch (error) {
    return { code: codeOf(error), message: messageOf(error) }
  }
}

parentPort?.postMessage(load(workerData))
