import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { codeOf, JbfsError, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'

/**
 * How a running mount is asked about itself: a UNIX socket that only its user can reach. One line of JSON in, `{"ask":"status"}` or `{"ask":"publish"}`; one
 * line of JSON back, then the connection is closed. What fails is answered by `{"error":"…","code":"…"}`.
 */
export interface Answers {
  status(): Promise<object>
  /** Resolves when all that was written is published. */
  publish(): Promise<object>
}

/** Longest path of a UNIX socket (sun_path in unix(7), less the NUL). */
const longestSocketPath = 107
const longestRequest = 4096
const longestAnswer = 16 * 1024 ** 2

/** Where the daemon of `mountpoint` (canonical) listens: a name of fixed length, since the path of a socket may not be long. */
export function controlSocketPath(runtimeFolder: string, mountpoint: string): string {
  const name = createHash('sha256').update(mountpoint).digest('hex').slice(0, 16)
  return join(runtimeFolder, `${name}.sock`)
}

/** All sockets there, of daemons that have ended without removing theirs, too. */
export function controlSockets(runtimeFolder: string): string[] {
  try {
    return readdirSync(runtimeFolder)
      .filter((name) => name.endsWith('.sock'))
      .map((name) => join(runtimeFolder, name))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/**
 * Listens at `path`, in place of the socket of an earlier daemon: a dead one, or one whose mount was detached and still has users, or that is still publishing, whose
 * socket gets another name. Dispose to stop; then the socket is removed, whatever name it has.
 */
export async function startControlSocket(
  path: string,
  answers: Answers,
  logger: Logger,
): Promise<AsyncDisposable> {
  const boundPath = `${path}.${process.pid}`
  if (Buffer.byteLength(boundPath) > longestSocketPath)
    throw new JbfsError('bad-option', `the path of the control socket is too long: ${path}`)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    answer(socket, answers, logger)
  })
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(boundPath, { force: true })
  // Node.js removes what it has bound, whoever has that name by then: so it binds another one.
  await listen(server, boundPath)
  await setAside(path)
  renameSync(boundPath, path)
  const ino = inoAt(path) as number
  server.on('error', (error) => logger.warn({ error: messageOf(error) }, 'the control socket failed'))
  return {
    async [Symbol.asyncDispose]() {
      // While the server has it, the number is no other's.
      for (const name of [path, asidePath(path, ino)]) removeIfStill(name, ino)
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

/** Whoever listens at `path` can still be asked, and another one listen there. */
async function setAside(path: string): Promise<void> {
  const socket = await connectedTo(path)
  const ino = inoAt(path)
  if (ino !== undefined) renameSync(path, asidePath(path, ino))
  socket?.destroy()
}

function asidePath(path: string, ino: number): string {
  return path.replace(/\.sock$/, `.${ino}.sock`)
}

function inoAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}

function removeIfStill(path: string, ino: number): void {
  if (inoAt(path) === ino) removeControlSocket(path)
}

/** Removes a socket, for one what a daemon that was killed has left. */
export function removeControlSocket(path: string): void {
  rmSync(path, { force: true })
  removeIfEmpty(dirname(path))
}

/**
 * What the daemon behind `path` says of itself; undefined when none listens there. Rejects with `no-answer` when it does not answer
 * within `timeout` milliseconds.
 */
export function askStatus(path: string, { timeout = 3_000 } = {}): Promise<unknown> {
  return ask(path, 'status', timeout)
}

/**
 * Has the daemon behind `path` publish all that was written there, however long it takes. Rejects with `no-answer`, `lease-lost` when it may write no more, or
 * `not-published`.
 */
export async function askToPublish(path: string): Promise<void> {
  const answer = await ask(path, 'publish', 0)
  if (answer === undefined) throw noAnswer('it has ended')
  if (typeof answer === 'object' && answer !== null && 'error' in answer)
    throw new JbfsError(
      codeOf(answer) === 'lease-lost' ? 'lease-lost' : 'not-published',
      String(answer.error),
    )
}

function noAnswer(reason: string, cause?: unknown): JbfsError {
  return new JbfsError('no-answer', `the daemon does not answer: ${reason}`, { cause })
}

async function ask(path: string, question: keyof Answers, timeout: number): Promise<unknown> {
  const socket = await connectedTo(path)
  return socket && answerBy(socket, question, timeout)
}

/** Who listens there; undefined when nobody does. What a daemon that was killed has left is removed: nobody will ever listen on it again. */
async function connectedTo(path: string): Promise<Socket | undefined> {
  const ino = inoAt(path)
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return socket
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ECONNREFUSED' && ino !== undefined) removeIfStill(path, ino)
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    throw noAnswer(messageOf(error), error)
  }
}

function answerBy(socket: Socket, question: keyof Answers, timeout: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = ''
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy()
      reject(noAnswer(reason, cause))
    }
    socket.setEncoding('utf8').setTimeout(timeout, () => fail('timed out'))
    socket.write(`${JSON.stringify({ ask: question })}\n`)
    socket.on('data', (piece: string) => {
      text += piece
      if (text.length > longestAnswer) fail('its answer is too long')
    })
    socket.on('end', () => {
      try {
        resolve(JSON.parse(text))
      } catch (error) {
        fail('its answer is cut off', error)
      }
    })
    socket.on('error', (error) => fail(messageOf(error), error))
  })
}

function answer(socket: Socket, answers: Answers, logger: Logger): void {
  let text = ''
  socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (piece: string) => {
    text += piece
    const end = text.indexOf('\n')
    if (end !== -1) {
      socket.removeAllListeners('data')
      // Publishing takes as long as it takes.
      socket.setTimeout(0)
      void replyTo(text.slice(0, end), answers, logger).then((reply) =>
        socket.end(`${JSON.stringify(reply)}\n`),
      )
    } else if (text.length > longestRequest) socket.destroy()
  })
}

async function replyTo(request: string, answers: Answers, logger: Logger): Promise<object> {
  try {
    const asked = JSON.parse(request)?.ask
    if (asked === 'status' || asked === 'publish') return await answers[asked as keyof Answers]()
    return { error: 'the questions are {"ask":"status"} and {"ask":"publish"}' }
  } catch (error) {
    logger.debug({ error: messageOf(error) }, 'a question on the control socket could not be answered')
    return { error: messageOf(error), code: codeOf(error) }
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Other mounts may have their sockets here, and keep the folder; where it cannot be removed, it stays. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Nothing depends on it.
  }
}
