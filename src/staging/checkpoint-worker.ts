import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { parentPort } from 'node:worker_threads'
import { carryOver } from './checkpoint.ts'

/** The answer to the path of a database: how many pages are in its log, or why nobody could look. */
export type CheckpointAnswer = { readonly pages: number } | { readonly error: unknown }

parentPort?.on('message', (path: string) => {
  parentPort?.postMessage(answerOf(path))
})

function answerOf(path: string): CheckpointAnswer {
  try {
    const url = pathToFileURL(path)
    // Not made anew where it is gone.
    url.searchParams.set('mode', 'rw')
    const database = new DatabaseSync(url)
    try {
      return { pages: carryOver(database) }
    } finally {
      database.close()
    }
  } catch (error) {
    return { error }
  }
}
