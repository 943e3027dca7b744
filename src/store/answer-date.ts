import type { GetObjectCommand } from '@aws-sdk/client-s3'

/** When a server answered. */
export interface AnswerDate {
  /** Epoch milliseconds by its own clock, exact to a second (RFC 9110 §6.6.1); none when it does not say. */
  answered?: number
}

/** What a `Date` header says. */
export function answerDate(header: string | undefined): AnswerDate {
  const answered = Date.parse(header ?? '')
  return answered > 0 ? { answered } : {}
}

/** Has the date of the answer to `command` written down, which the SDK keeps to itself. */
export function recordDate(command: GetObjectCommand): AnswerDate {
  const date: AnswerDate = {}
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { headers: Record<string, string> }
      Object.assign(date, answerDate(headers.date))
      return result
    },
    // As it comes off the wire.
    { step: 'deserialize', priority: 'low' },
  )
  return date
}
