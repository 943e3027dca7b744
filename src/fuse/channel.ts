/**
 * Carries messages between the kernel and a session: the device in the daemon, a double of the kernel in tests. `start` is called
 * once; then `onMessage` for each message, one at a time, until `onEnd` is called once.
 */
export interface FuseChannel {
  start(handlers: ChannelHandlers): void
  /**
   * Sends one reply, made of the pieces in order. False when the kernel no longer waits for it (the request was
   * aborted, or the filesystem unmounted), which is no fault. Throws when the kernel refuses it, and still waits for one.
   */
  reply(pieces: readonly Uint8Array[]): boolean
  /**
   * Sends a message nobody asked for. Resolves when the kernel has acted on it: it may take locks that our own replies release, so
   * this must not block the thread that replies. False when the kernel does not know what the message speaks of.
   */
  notify(message: Uint8Array): Promise<boolean>
}

export interface ChannelHandlers {
  /** `message` is the channel's own buffer, reused when the call returns: copy what outlives it. */
  onMessage(message: Buffer): void
  /** The kernel will send no more: unmounted (no error), or the device failed. */
  onEnd(error?: Error): void
}
