import { FuseError } from '../fuse/errno.ts'

interface AnyNode {
  readonly nodeid: number
  readonly kind: string
}

/** Nodes by their nodeids, of which none is ever used for something else: the kernel may still ask for what is gone. */
export class NodeTable<N extends AnyNode> {
  readonly #nodes = new Map<number, N>()
  #last = 0

  /** From 1 on, which is the root. */
  nextNodeid(): number {
    return ++this.#last
  }

  add<M extends N>(node: M): M {
    this.#nodes.set(node.nodeid, node)
    return node
  }

  delete(nodeid: number): void {
    this.#nodes.delete(nodeid)
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
