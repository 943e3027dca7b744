/** Whether this process is root's, and needs no helper to mount. */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}
