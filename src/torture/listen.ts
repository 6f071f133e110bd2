import type { AddressInfo, Server } from "node:net";
import { TortureError } from "./errors.ts";

/**
 * Listens on 127.0.0.1.
 * @param port 0: a free one
 * @throws TortureError `port_in_use`
 */
export async function listenLocally(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const detail = `the proxy cannot listen on port ${port}: ${error.message}`;
      reject(new TortureError("port_in_use", detail));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
}

/** "127.0.0.1:9090", where it listens. */
export function localAddress(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
