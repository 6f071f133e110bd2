import { once } from "node:events";
import { DOORS, type NodeDoors } from "./doors.ts";
import { TortureError } from "./errors.ts";
import { grpcUrl } from "./grpc_node.ts";
import { NodeDoor } from "./node_door.ts";

const PATIENCE_MS = 5000;

/**
 * Makes sure that somebody listens at every door that was named.
 * @throws TortureError `bad_node` for what is no address, `node_gone` naming the flag
 */
export async function assertReachable(doors: NodeDoors): Promise<void> {
  for (const name of DOORS) {
    const address = doors[name];
    if (address === undefined) continue;
    const flag = name === "rpc" ? "--node" : (`--${name}` as const);
    const door =
      flag === "--grpc" ? new NodeDoor(grpcUrl(address), "--node") : new NodeDoor(address, flag);
    const why = await whyNot(door);
    if (why === undefined) continue;
    throw new TortureError("node_gone", `nobody answers at ${address} (${flag}): ${why}`);
  }
}

async function whyNot(door: NodeDoor): Promise<string | undefined> {
  const socket = door.connect(() => undefined);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return undefined;
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    return name === "AbortError" ? `nothing within ${PATIENCE_MS / 1000} s` : (code ?? message);
  } finally {
    socket.destroy();
  }
}
