import type { ExecutionContext } from 'ava'

export type TestBody<Context = unknown> = (t: ExecutionContext<Context>) => void | Promise<void>

/** `test` or `test.serial`. */
export interface DeclareTest<Context = unknown> {
  (title: string, body: TestBody<Context>): void
  readonly skip: (title: string, body: TestBody<Context>) => void
}

/**
 * For tests that need what is not everywhere. Where there is a reason why they cannot run, they are skipped aloud: of a test that is
 * skipped nothing but its title is reported, so the reason is in the title.
 */
export function testUnless<Context>(
  test: DeclareTest<Context>,
  reason: string | undefined,
): (title: string, body: TestBody<Context>) => void {
  if (reason === undefined) return (title, body) => test(title, body)
  return (title, body) => test.skip(`${title} (skipped: ${reason})`, body)
}
