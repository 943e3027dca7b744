import { FuseError } from '../fuse/errno.ts'

interface AnyNode {
  readonly nodeid: number
  readonly kind: string
}

/** Nodes by their nodeids, of which none is ever used for something else: the kernel may still ask for what is gone. */
export class NodeTable<N extends AnyNode> {
  readonly #nodes = new Map<number, N>()
  #last = 0

  /** Gives it the next number, from `rootNodeid` on. */
  add<M extends N>(fields: Omit<M, 'nodeid'>): M {
    const node = { ...fields, nodeid: ++this.#last } as M
    this.#nodes.set(node.nodeid, node)
    return node
  }

  delete(nodeid: number): void {
    this.#nodes.delete(nodeid)
  }

  /** False for a node that was deleted. */
  has(node: N): boolean {
    return this.#nodes.get(node.nodeid) === node
  }

  find(nodeid: number): N | undefined {
    return this.#nodes.get(nodeid)
  }

  /** Throws ESTALE for what is gone. */
  get(nodeid: number): N {
    const node = this.#nodes.get(nodeid)
    if (node === undefined) throw new FuseError('ESTALE')
    return node
  }

  /** Throws ESTALE for what is gone, ENOTDIR for what is no folder. */
  folder(nodeid: number): Extract<N, { readonly kind: 'folder' }> {
    const node = this.get(nodeid)
    if (node.kind !== 'folder') throw new FuseError('ENOTDIR')
    return node as Extract<N, { readonly kind: 'folder' }>
  }

  values(): Iterable<N> {
    return this.#nodes.values()
  }
}
