import type { Agent } from 'node:http'
import type { Socket } from 'node:net'
import type { WriteGuard } from './object-store.ts'

/**
 * Has an agent's connections ask `guard` before anything goes out over them, and closes one that it refuses: between a request's turn and
 * its socket lie milliseconds, in which a process can be stopped, and a connection may take seconds to stand. What the kernel has taken
 * already is sent; so is what a process was stopped with in the microseconds between the answer and the system call, as no server keeps
 * a lock for us.
 */
export function guardConnections<A extends Agent>(agent: A, guard: WriteGuard): A {
  const create = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const socket = create(options, callback) as Socket
    guardWrites(socket, guard)
    // What was written before it stood goes out when it does; listeners are asked in their order, and this one is the first.
    const ask = (): void => {
      try {
        guard()
      } catch (error) {
        socket.destroy(error as Error)
      }
    }
    socket.once('connect', ask)
    socket.once('secureConnect', ask)
    return socket
  }
  return agent
}

/** Below the stream's own buffer, where a head waits for the body that is to go out with it. */
function guardWrites(socket: Socket, guard: WriteGuard): void {
  const write = socket._write.bind(socket)
  const writeAll = socket._writev?.bind(socket)
  const ask = (callback: (error?: Error | null) => void): boolean => {
    try {
      guard()
      return true
    } catch (error) {
      callback(error as Error)
      return false
    }
  }
  socket._write = (chunk, encoding, callback) => {
    if (ask(callback)) write(chunk, encoding, callback)
  }
  if (writeAll)
    socket._writev = (chunks, callback) => {
      if (ask(callback)) writeAll(chunks, callback)
    }
}
