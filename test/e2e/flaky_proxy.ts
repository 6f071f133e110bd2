import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What happens to a request: `lost` ones never reach the node, of `mute` ones the answer is lost. */
export type Mishap = "none" | "lost" | "mute" | "twice" | "slow";

export interface FlakyProxy {
  readonly url: string;
  /** How often each has happened. */
  readonly counts: Readonly<Record<Mishap, number>>;
  /** Decides on the next requests. */
  decide: (method: string) => Mishap;
  close(): Promise<void>;
}

const SLOW_MS = 150;

/** A door to a node's JSON-RPC behind which things go wrong. */
export async function flakyProxy(target: string): Promise<FlakyProxy> {
  const counts: Record<Mishap, number> = { none: 0, lost: 0, mute: 0, twice: 0, slow: 0 };
  const proxy = { url: "", counts, decide: (_: string): Mishap => "none" };
  const headers = { "content-type": "application/json" };
  const ask = async (body: string) => {
    const answer = await fetch(target, { method: "POST", headers, body });
    return { status: answer.status, text: await answer.text() };
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk as string;
    const mishap = proxy.decide((JSON.parse(body) as { method: string }).method);
    counts[mishap] += 1;
    if (mishap === "lost") return void request.socket.destroy();
    if (mishap === "slow") await sleep(SLOW_MS);
    let answer = await ask(body);
    if (mishap === "twice") answer = await ask(body);
    if (mishap === "mute") return void request.socket.destroy();
    response.writeHead(answer.status, headers).end(answer.text);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return Object.assign(proxy, { close });
}
