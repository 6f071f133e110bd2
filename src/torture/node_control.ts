/** Kills a node and starts it again at the same address. */
export interface NodeControl {
  /** Resolves when it answers again. @throws TortureError `node_gone` when it does not come back. */
  killFor(ms: number): Promise<void>;
}
