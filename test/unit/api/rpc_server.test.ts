import { expect, test } from "vitest";
import { PortInUseError } from "../../../src/api/port_in_use_error.ts";
import { startRpcServer } from "../../../src/api/rpc/server.ts";
import { fakeNode } from "./fake_node.ts";

test("port 0 picks a free port; a port in use names the flag to change", async () => {
  const view = fakeNode();
  const server = await startRpcServer({ view, host: "127.0.0.1", port: 0 });
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  const again = startRpcServer({ view, host: "127.0.0.1", port: server.port });
  const error = await again.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PortInUseError);
  expect(error).toMatchObject({ port: server.port, flag: "--rpc-port" });
  expect(String(error)).toContain("--rpc-port");
  await server.close();
  const next = await startRpcServer({ view, host: "localhost", port: server.port });
  expect((await fetch(next.url)).status).toBe(200);
  await next.close();
});

test("a server on all addresses can be reached by its url", async () => {
  const server = await startRpcServer({ view: fakeNode(), host: "0.0.0.0", port: 0 });
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  await server.close();
});
