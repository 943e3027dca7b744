import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import test, { type TestFn } from 'ava'
import { JbfsError } from '../../src/base/errors.ts'
import { silentLogger } from '../../src/base/log.ts'
import {
  type Answers,
  askStatus,
  askToPublish,
  controlSocketPath,
  controlSockets,
  removeControlSocket,
  startControlSocket,
} from '../../src/daemon/control-socket.ts'

/** What a daemon answers that is asked for nothing but its status. */
function answering(status: () => object): Answers {
  return { status: async () => status(), publish: async () => ({}) }
}

interface Context {
  readonly folder: string
  readonly path: string
}
const it = test as TestFn<Context>

it.beforeEach((t) => {
  const folder = mkdtempSync(join(tmpdir(), 'jbfs-control-'))
  t.context = { folder, path: controlSocketPath(join(folder, 'run'), '/mnt/backups') }
})
it.afterEach.always((t) => rmSync(t.context.folder, { recursive: true, force: true }))

it('a daemon is asked for its status as often as one likes', async (t) => {
  const { path } = t.context
  let asked = 0
  await using _control = await startControlSocket(
    path,
    answering(() => ({ asked: ++asked })),
    silentLogger,
  )
  t.deepEqual(await askStatus(path), { asked: 1 })
  const answers = await Promise.all([askStatus(path), askStatus(path)])
  t.is(answers.length, 2)
  t.is(asked, 3)
})

it('only its user reaches the socket, and nothing stays behind', async (t) => {
  const { path } = t.context
  {
    await using _control = await startControlSocket(
      path,
      answering(() => ({})),
      silentLogger,
    )
    t.is(statSync(dirname(path)).mode & 0o777, 0o700)
  }
  t.false(existsSync(dirname(path)))
  t.is(await askStatus(path), undefined)
})

it('the folder stays while another mount has its socket there', async (t) => {
  const other = controlSocketPath(dirname(t.context.path), '/mnt/other')
  await using _other = await startControlSocket(
    other,
    answering(() => ({ other: true })),
    silentLogger,
  )
  {
    await using _control = await startControlSocket(
      t.context.path,
      answering(() => ({})),
      silentLogger,
    )
  }
  t.deepEqual(await askStatus(other), { other: true })
})

it('what a dead daemon has left is replaced', async (t) => {
  const { path } = t.context
  mkdirSync(dirname(path))
  writeFileSync(path, '')
  await using _control = await startControlSocket(
    path,
    answering(() => ({ fresh: true })),
    silentLogger,
  )
  t.deepEqual(await askStatus(path), { fresh: true })
})

it('what a daemon that was killed has left is removed by who asks for its status', async (t) => {
  const { path } = t.context
  mkdirSync(dirname(path))
  {
    await using _killed = await listening(`${path}.1`, () => {})
    renameSync(`${path}.1`, path)
  }
  t.true(existsSync(path))
  t.is(await askStatus(path), undefined)
  t.false(existsSync(dirname(path)))
})

it('a daemon whose name another takes can still be asked, and leaves the socket of that alone when it ends', async (t) => {
  const { path } = t.context
  const first = await startControlSocket(
    path,
    answering(() => ({ first: true })),
    silentLogger,
  )
  await using _second = await startControlSocket(
    path,
    answering(() => ({ second: true })),
    silentLogger,
  )
  const folder = dirname(path)
  const answers = await Promise.all(controlSockets(folder).map((socket) => askStatus(socket)))
  t.is(answers.length, 2)
  for (const answer of [{ first: true }, { second: true }])
    t.true(answers.some((each) => isDeepStrictEqual(each, answer)))
  await first[Symbol.asyncDispose]()
  t.deepEqual(controlSockets(folder), [path])
  t.deepEqual(await askStatus(path), { second: true })
})

it('a folder that cannot be removed is no fault of the daemon that ends', async (t) => {
  const path = join('/proc', String(process.pid), 'absent.sock')
  t.notThrows(() => removeControlSocket(path))
})

it('a daemon that does not answer, or answers in half, is an error and not a wait', async (t) => {
  const { folder } = t.context
  const mute = join(folder, 'mute.sock')
  const cut = join(folder, 'cut.sock')
  await using _mute = await listening(mute, (socket) => socket.resume())
  await using _cut = await listening(cut, (socket) => socket.end('{"pid":'))
  await t.throwsAsync(askStatus(mute, { timeout: 50 }), { code: 'no-answer', message: /timed out/ })
  await t.throwsAsync(askStatus(cut), { code: 'no-answer', message: /cut off/ })
})

it('a question that is no question gets an error, and endless ones are cut off', async (t) => {
  const { path } = t.context
  await using _control = await startControlSocket(
    path,
    answering(() => ({ secret: 1 })),
    silentLogger,
  )
  t.regex(await say(path, 'hello\n'), /"error"/)
  t.regex(await say(path, '{"ask":"all"}\n'), /"error"/)
  t.is(await say(path, 'x'.repeat(100_000)), '')
})

it('a status that fails is an error for who asks, not for the daemon', async (t) => {
  const { path } = t.context
  const status = (): object => {
    throw new Error('not now')
  }
  await using _control = await startControlSocket(path, answering(status), silentLogger)
  t.deepEqual(await askStatus(path), { error: 'not now' })
})

it('who asks a daemon to publish is told what it could not, and when it is gone', async (t) => {
  const { path } = t.context
  await t.throwsAsync(askToPublish(path), { code: 'no-answer', message: /it has ended/ })
  let fault: Error | undefined
  const publish = async (): Promise<object> => {
    if (fault !== undefined) throw fault
    return {}
  }
  await using _control = await startControlSocket(path, { ...answering(() => ({})), publish }, silentLogger)
  await t.notThrowsAsync(askToPublish(path))
  fault = new JbfsError('unavailable', 'no route')
  await t.throwsAsync(askToPublish(path), { code: 'not-published', message: 'no route' })
  fault = new JbfsError('lease-lost', 'another has it')
  await t.throwsAsync(askToPublish(path), { code: 'lease-lost', message: 'another has it' })
})

it('a path too long for a socket is refused in words', async (t) => {
  const path = join(t.context.folder, 'x'.repeat(100), 'a.sock')
  await t.throwsAsync(
    startControlSocket(
      path,
      answering(() => ({})),
      silentLogger,
    ),
    { message: /too long/ },
  )
})

function say(path: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(path, () => socket.write(text))
    socket.setEncoding('utf8').on('data', (piece) => {
      answer += piece
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

async function listening(path: string, onSocket: (socket: Socket) => void): Promise<AsyncDisposable> {
  const sockets: Socket[] = []
  const server: Server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
