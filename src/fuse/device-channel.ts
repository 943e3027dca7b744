import { closeSync, read as fsRead, write as fsWrite, readSync, writeSync, writevSync } from 'node:fs'
import { connect, Socket, type SocketConstructorOpts } from 'node:net'
import { codeOf } from '../base/errors.ts'
import type { ChannelHandlers, FuseChannel } from './channel.ts'
import { requestBufferSize } from './negotiate.ts'

/**
 * The FUSE device, read through epoll: the event loop wakes us when there is a request, and then as many as there are are
 * read at once. Measured against `fs.read` (a thread hop there and back a request): 2.6 times as many round trips for one client,
 * eight times for four (`native-notes/fuse.md`).
 */

/** Requests taken in one turn of the event loop; bounded so that timers and sockets get their turn. */
const drainLimit = 64

/**
 * Reads that find nothing before we go back to sleep, about 40 µs in all: the next request of a busy client is usually there by then,
 * and a wake-up costs more.
 */
const spinLimit = 8

/** Pieces that one writev(2) takes (IOV_MAX); of more libuv makes several, and the kernel takes each for a reply. */
const mostPieces = 1024

interface PipeHandle {
  open(fd: number): number
  close(done: () => void): void
}

export class DeviceChannel implements FuseChannel {
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafeSlow(requestBufferSize)
  #handlers: ChannelHandlers | undefined
  #socket: Socket | undefined
  #ended = false
  /** Notifications go one at a time: each may block a thread of the pool until we have answered something else. */
  #notified: Promise<unknown> = Promise.resolve()

  /** Takes over `fd`, an open /dev/fuse. */
  constructor(fd: number) {
    this.#fd = fd
  }

  start(handlers: ChannelHandlers): void {
    this.#handlers = handlers
    const handle = openPipe(this.#fd)
    if (handle === undefined) this.#readLoop()
    else this.#poll(handle)
  }

  reply(pieces: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return false
    try {
      if (pieces.length === 1) writeSync(this.#fd, pieces[0] as Uint8Array)
      else if (pieces.length > mostPieces) writeSync(this.#fd, Buffer.concat(pieces))
      else writevSync(this.#fd, pieces as Uint8Array[])
      return true
    } catch (error) {
      // ENOENT: the request was aborted; ENODEV: unmounted.
      const code = codeOf(error)
      if (code === 'ENOENT' || code === 'ENODEV') return false
      throw error
    }
  }

  notify(message: Uint8Array): Promise<boolean> {
    const sent = this.#notified.then(
      () =>
        new Promise<boolean>((resolve, reject) => {
          if (this.#isClosed) {
            resolve(false)
            return
          }
          fsWrite(this.#fd, message, (error) => {
            if (error === null) resolve(true)
            else if (error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'ENOTDIR')
              resolve(false)
            else reject(error)
          })
        }),
    )
    this.#notified = sent.catch(() => {})
    return sent
  }

  #poll(handle: PipeHandle): void {
    const buffer = this.#buffer
    const close = handle.close.bind(handle)
    handle.close = (done) => this.#whenNotified(() => close(done))
    // `handle` and `onread` are public options; only the making of a handle over a given descriptor is not.
    const socket = new Socket({
      handle,
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (length: number) => {
          this.#message(buffer, length)
          this.#drain()
          return true
        },
      },
    } as unknown as SocketConstructorOpts)
    this.#socket = socket
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(undefined))
    socket.resume()
  }

  #drain(): void {
    const traces = Error.stackTraceLimit
    // An EAGAIN thrown with its stack costs twice as much.
    Error.stackTraceLimit = 0
    try {
      let misses = 0
      for (let taken = 0; taken < drainLimit && misses < spinLimit && !this.#ended; ) {
        let length: number
        try {
          length = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, null)
        } catch (error) {
          const code = codeOf(error)
          if (code === 'EAGAIN' || code === 'EINTR' || code === 'ENOENT') {
            misses++
            continue
          }
          // Anything else (ENODEV: unmounted) reaches the socket as well, which reports it.
          return
        }
        misses = 0
        taken++
        Error.stackTraceLimit = traces
        this.#message(this.#buffer, length)
        Error.stackTraceLimit = 0
      }
    } finally {
      Error.stackTraceLimit = traces
    }
  }

  /** Without epoll. One loop only: of two, one may have an INTERRUPT before the other has the request it is for. */
  #readLoop(): void {
    const buffer = this.#buffer
    fsRead(this.#fd, buffer, 0, buffer.length, null, (error, length) => {
      if (this.#ended) return
      if (error !== null && error.code !== 'EINTR' && error.code !== 'EAGAIN' && error.code !== 'ENOENT') {
        this.#end(error)
        return
      }
      if (error === null) this.#message(buffer, length)
      this.#readLoop()
    })
  }

  #message(buffer: Buffer, length: number): void {
    this.#handlers?.onMessage(buffer.subarray(0, length))
  }

  /** Then the descriptor's number may be somebody else's. */
  get #isClosed(): boolean {
    return this.#ended || this.#socket?.destroyed === true
  }

  #close(): void {
    if (this.#ended) return
    this.#ended = true
    // The socket owns the descriptor; without it, it is ours.
    if (this.#socket) this.#socket.destroy()
    else this.#whenNotified(() => closeSync(this.#fd))
  }

  /** A notification that waits for a thread would go to whatever has the number by then. The kernel lets go of all of them when it has unmounted. */
  #whenNotified(close: () => void): void {
    void this.#notified.then(close)
  }

  #end(error: Error | undefined): void {
    const handlers = this.#handlers
    this.#handlers = undefined
    this.#close()
    // ENODEV is how the kernel says that the filesystem was unmounted.
    handlers?.onEnd(codeOf(error) === 'ENODEV' ? undefined : error)
  }
}

/** A handle that polls `fd`, which becomes non-blocking; undefined when this Node has no such thing. */
function openPipe(fd: number): PipeHandle | undefined {
  const probe = connect({ path: '/nonexistent' }) as Socket & { _handle?: { constructor: unknown } }
  probe.on('error', () => {})
  const Pipe = probe._handle?.constructor as (new (type: number) => PipeHandle) | undefined
  probe.destroy()
  if (typeof Pipe !== 'function') return undefined
  const socketType = 0
  const handle = new Pipe(socketType)
  return handle.open(fd) === 0 ? handle : undefined
}
