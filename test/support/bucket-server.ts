import { createServer } from 'node:http'

/** What a bucket is asked as a whole, by the first word of the query; `PUT lifecycle` for the put. */
export type BucketQuestion =
  | 'versioning'
  | 'lifecycle'
  | 'PUT lifecycle'
  | 'versions'
  | 'uploads'
  | 'uploadId'

export interface BucketRequest {
  readonly question: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface BucketAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** XML. */
  readonly body?: string
}

export type BucketAnswers = Readonly<
  Partial<Record<BucketQuestion, BucketAnswer | ((request: BucketRequest) => BucketAnswer)>>
>

export interface BucketServer extends AsyncDisposable {
  readonly endpoint: string
  readonly requests: readonly BucketRequest[]
}

export function errorAnswer(status: number, code: string): BucketAnswer {
  return { status, body: `<Error><Code>${code}</Code><Message>${code}</Message></Error>` }
}

/** Answers for a bucket as no server here does; what it has no answer for it does not know. */
export async function startBucketServer(answers: BucketAnswers): Promise<BucketServer> {
  const requests: BucketRequest[] = []
  const server = createServer(async (request, response) => {
    const [path = '', search] = (request.url ?? '').split('?')
    const query = new URLSearchParams(search)
    const word = ['versioning', 'lifecycle', 'versions', 'uploads', 'uploadId'].find((name) =>
      query.has(name),
    )
    const question = request.method === 'PUT' ? `PUT ${word}` : String(word)
    const body = Buffer.concat(await Array.fromAsync(request)).toString()
    const asked = { question, path, query, headers: request.headers, body }
    requests.push(asked)
    const given = answers[question as BucketQuestion] ?? errorAnswer(501, 'NotImplemented')
    const answer = typeof given === 'function' ? given(asked) : given
    response.writeHead(answer.status ?? 200, answer.headers).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
