import type { ExecutionContext } from 'ava'
import { availableS3Servers, whyNoS3 } from './s3-server.ts'
import { type DeclareTest, testUnless } from './test-unless.ts'

/** The servers that tests run against; where there is none, the name under which they are skipped. */
export function s3ServersInTitles(): readonly string[] {
  const available = availableS3Servers()
  return available.length === 0 ? ['S3'] : available
}

/** The same test for each real S3 server that there is, whose name is before its title; skipped aloud where there is none, or for another reason. */
export function realS3Test(
  test: DeclareTest,
  title: string,
  body: (t: ExecutionContext, server: string) => Promise<void>,
  reason = whyNoS3(),
): void {
  for (const name of s3ServersInTitles()) testUnless(test, reason)(`${name}: ${title}`, (t) => body(t, name))
}
