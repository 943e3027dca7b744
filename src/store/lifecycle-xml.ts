import type {
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3'

/**
 * PutBucketLifecycleConfiguration replaces all rules of a bucket, and the SDK forgets what it does not know of them, as some servers have elements of
 * their own. So rules that are to stay are sent back as the text they came as.
 */

/** What came with an answer, beside what the SDK makes of it. */
export interface RawAnswer {
  text: string
  /** The `Server` header; '' when there is none. */
  server: string
}

/**
 * The `<Rule>` elements of a configuration, in its order. In XML, `</Rule>` stands in no text. undefined when there are rules in any other form,
 * as with a prefix before the name.
 */
export function ruleElements(xml: string): string[] | undefined {
  const elements = xml.match(/<Rule[\s>][\s\S]*?<\/Rule\s*>/g) ?? []
  const begun = xml.match(/<([\w.-]+:)?Rule[\s/>]/g) ?? []
  return elements.length === begun.length ? elements : undefined
}

/** The names of all elements, once each. */
export function elementNames(xml: string): string[] {
  return [...new Set([...xml.matchAll(/<([A-Za-z][\w.:-]*)/g)].map(([, name]) => name as string))]
}

/** Has the answer to `command` written down, errors too. */
export function recordAnswer(command: GetBucketLifecycleConfigurationCommand): RawAnswer {
  const raw: RawAnswer = { text: '', server: '' }
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const response = result.response as { body: AsyncIterable<Buffer>; headers: Record<string, string> }
      const bytes = Buffer.concat(await Array.fromAsync(response.body))
      raw.text = bytes.toString()
      raw.server = response.headers.server ?? ''
      // The SDK takes bytes as well as a stream, and this one is used up.
      Object.assign(response, { body: bytes })
      return result
    },
    // Before the SDK reads the answer.
    { step: 'deserialize', priority: 'low' },
  )
  return raw
}

/** Sends the elements before the rules that `command` has. */
export function sendElements(
  command: PutBucketLifecycleConfigurationCommand,
  elements: readonly string[],
): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body: string }
      request.body = request.body.replace(/<LifecycleConfiguration[^>]*>/, (root) => root + elements.join(''))
      return next(args)
    },
    // Behind what makes the body, before its checksum.
    { step: 'serialize', priority: 'low' },
  )
}
