/** What `materialiseElsewhere` starts: makes one index, tells how far it is, and ends with whoever asked. */
import { codeOf, messageOf } from '../base/errors.ts'
import { type MaterialiseOptions, materialise } from './materialise.ts'
import type { MaterialiseAnswer } from './materialise-elsewhere.ts'

const send = (answer: MaterialiseAnswer, then = (): void => {}): void => void process.send?.(answer, then)

process.once('message', async (options) => {
  const answer = await materialise(options as MaterialiseOptions, { onRows: (rows) => send({ rows }) }).then(
    (done): MaterialiseAnswer => ({ done }),
    (error: unknown): MaterialiseAnswer => ({ code: codeOf(error) ?? '', message: messageOf(error) }),
  )
  send(answer, () => process.disconnect())
})
// Its own child goes with it.
process.once('disconnect', () => process.exit())
