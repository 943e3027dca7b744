import type { Agent } from 'node:http'
import type { Duplex } from 'node:stream'
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
    // A connection by way of a proxy comes later.
    const made = create(options, (error, stream) => callback?.(error, stream && guardStream(stream, guard)))
    return made && guardStream(made, guard)
  }
  return agent
}

/** The same of one connection, which does not stand yet. */
export function guardStream(stream: Duplex, guard: WriteGuard): Duplex {
  guardWrites(stream, guard)
  const ask = (): void => {
    try {
      guard()
    } catch (error) {
      stream.destroy(error as Error)
    }
  }
  // What was written before it stood goes out when it does; listeners are asked in their order, and this one is the first.
  stream.once('connect', ask)
  stream.once('secureConnect', ask)
  return stream
}

/** Below the stream's own buffer, where a head waits for the body that is to go out with it. */
function guardWrites(stream: Duplex, guard: WriteGuard): void {
  const write = stream._write.bind(stream)
  const writeAll = stream._writev?.bind(stream)
  const ask = (callback: (error?: Error | null) => void): boolean => {
    try {
      guard()
      return true
    } catch (error) {
      callback(error as Error)
      return false
    }
  }
  stream._write = (chunk, encoding, callback) => {
    if (ask(callback)) write(chunk, encoding, callback)
  }
  if (writeAll)
    stream._writev = (chunks, callback) => {
      if (ask(callback)) writeAll(chunks, callback)
    }
}
