import type { DoorName, NodeDoors } from "./doors.ts";
import type { Fault } from "./fault.ts";
import { type Counts, FaultDesk, type OnRequest } from "./fault_desk.ts";
import { GrpcListener } from "./grpc_listener.ts";
import { HttpListener } from "./http_listener.ts";
import { NodeDoor } from "./node_door.ts";

export interface ProxyOptions {
  /** What to stand before. The addresses stay the same when the node is started again. */
  readonly node: NodeDoors;
  /** Those that do not happen to requests are passed over. */
  readonly faults: readonly Fault[];
  /** Called as a request arrives, before the node sees it. */
  readonly onRequest?: OnRequest;
  /** Of the proxy's doors; 0, and none: a free one. */
  readonly ports?: Readonly<Partial<Record<DoorName, number>>>;
}

interface Listener {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Stands between clients and a node, with a door of its own for each of the node's, and does what
 * one schedule says to the requests and answers of all of them.
 */
export class TortureProxy {
  readonly #desk: FaultDesk;
  readonly #rpc: NodeDoor;
  readonly #listeners: Partial<Record<DoorName, Listener>> = {};

  private constructor({ node, faults, onRequest }: ProxyOptions) {
    this.#desk = new FaultDesk(faults, onRequest);
    this.#rpc = new NodeDoor(node.rpc, "--node");
  }

  /** Listens on 127.0.0.1. @throws TortureError `port_in_use`, `bad_node` */
  static async start(options: ProxyOptions): Promise<TortureProxy> {
    const proxy = new TortureProxy(options);
    try {
      await proxy.#listen(options);
    } catch (error) {
      await proxy.close();
      throw error;
    }
    return proxy;
  }

  async #listen({ node, ports = {} }: ProxyOptions): Promise<void> {
    const [desk, rpc] = [this.#desk, this.#rpc];
    for (const name of ["rpc", "rest"] as const) {
      const [target, port] = [node[name], ports[name] ?? 0];
      if (target === undefined) continue;
      this.#listeners[name] = await HttpListener.start({ name, target, rpc, desk, port });
    }
    if (node.grpc === undefined) return;
    const options = { target: node.grpc, rpc, desk, port: ports.grpc ?? 0 };
    this.#listeners.grpc = await GrpcListener.start(options);
  }

  /** Addresses of the proxy itself, of the same doors as the node's. */
  get doors(): NodeDoors {
    const { rpc, rest, grpc } = this.#listeners;
    return { rpc: rpc?.address ?? "", rest: rest?.address, grpc: grpc?.address };
  }

  /** Faults that have happened so far. */
  get applied(): ReadonlySet<Fault> {
    return this.#desk.applied;
  }

  get counts(): Readonly<Counts> {
    return this.#desk.counts;
  }

  get countsByDoor(): Readonly<Record<DoorName, number>> {
    return this.#desk.countsByDoor;
  }

  /** Requests that are still on their way: a node may yet do what they ask. */
  get open(): number {
    return this.#desk.open;
  }

  async close(): Promise<void> {
    this.#desk.close();
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.close()));
    this.#rpc.close();
  }
}
