import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** An exporter on a port of its own that serves whatever page it has been given. */
export interface Exporter {
  readonly url: string;
  page: string;
  type: string;
  status: number;
  /** Milliseconds before it answers. */
  delayMs: number;
  /** Whether it promises more bytes than it sends. */
  isCut: boolean;
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

export const TEXT = "text/plain; version=0.0.4; charset=utf-8";
export const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export async function startExporter(): Promise<Exporter> {
  const server = createServer((request, response) => {
    exporter.requests.push(request);
    const answer = () => {
      const length = Buffer.byteLength(exporter.page) + (exporter.isCut ? 100 : 0);
      response.writeHead(exporter.status, {
        ...{ "content-type": exporter.type, "content-length": length },
      });
      response.write(exporter.page);
      if (exporter.isCut) response.destroy();
      else response.end();
    };
    setTimeout(answer, exporter.delayMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const exporter: Exporter = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    ...{ page: "", type: TEXT, status: 200, delayMs: 0, isCut: false, requests: [] },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return exporter;
}
