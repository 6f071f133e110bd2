import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  QueryBalanceRequest,
  QueryBalanceResponse,
} from "../../src/gen/cosmos/bank/v1beta1/query.ts";
import { must } from "../../src/lib/assert.ts";
import { toBase64 } from "../../src/lib/bytes.ts";
import { customer, stranger } from "../testkit/accounts.ts";
import { CHAIN_ID } from "../testkit/chain.ts";
import { msg } from "../testkit/messages.ts";
import { findBrowser, type OpenBrowser, openBrowser, PUBLIC_NAME, watched } from "./browser.ts";
import { type EverythingNode, startEverythingNode } from "./everything_node.ts";

// Chromium itself: the page of the REST server, and pages of other origins at every door that a
// browser can open.

const found = await findBrowser();
/** A browser beside other tests on two cores may take its time. */
const STATUS = { node_info: { network: CHAIN_ID } };
const reason = "missing" in found ? ` (skipped: ${found.missing})` : "";

describe.skipIf(reason !== "")(`in a browser${reason}`, () => {
  let node: EverythingNode;
  let rpc: string;
  let browser: OpenBrowser;
  let page: Page;
  const others: Server[] = [];

  beforeAll(async () => {
    const path = "path" in found ? found.path : "";
    [node, browser] = await Promise.all([startEverythingNode(), openBrowser(path)]);
    rpc = node.chain.report.endpoints.rpc;
  });

  afterEach(() => page?.close());

  afterAll(async () => {
    await browser?.close();
    for (const server of others) server.close();
    await node?.stop();
    expect(node?.faults).toEqual([]);
  });

  const host = (url: string) => new URL(url).host;

  describe("the page of the REST server", () => {
    test("loads, browses and asks with no other host and no complaint", async () => {
      page = await browser.context.newPage();
      const log = await watched(page, [host(node.rest)]);
      await page.goto(`${node.rest}/`);
      const operations = page.locator(".operation");
      await expect.poll(() => operations.count()).toBeGreaterThan(75);
      await expect.poll(() => page.locator("#node").textContent()).toContain("settled-test");

      await page.locator("#filter").fill("by_denom balance");
      const row = page.locator("#cosmos_bank_v1beta1_Query_Balance");
      await expect.poll(() => page.locator(".operation:visible").count()).toBeLessThan(5);
      expect(await page.locator("#count").textContent()).toMatch(/^[1-4] of [0-9]+$/);
      await row.locator("summary").first().click();
      await row.locator('input[name="address"]').fill(customer.address);
      await row.locator('input[name="denom"]').fill("uve");
      const path = `/cosmos/bank/v1beta1/balances/${customer.address}/by_denom?denom=uve`;
      expect(await row.locator(".curl").inputValue()).toBe(`curl '${node.rest}${path}'`);
      await row.getByRole("button", { name: "Send" }).click();
      await expect.poll(() => row.locator(".status").textContent()).toMatch(/^HTTP 200, height /);
      const answer = JSON.parse((await row.locator(".result").textContent()) ?? "");
      expect(answer).toMatchObject({ balance: { denom: "uve" } });

      expect(log.requests).toContain(node.rest + path);
      const loaded = log.requests.filter((url) => !url.startsWith("data:"));
      expect(new Set(loaded.map(host))).toEqual(new Set([host(node.rest)]));
      expect(log.complaints).toEqual([]);
    });

    test("an address with an operation opens it, also on a narrow screen", async () => {
      page = await browser.context.newPage();
      const log = await watched(page, [host(node.rest)]);
      await page.setViewportSize({ width: 380, height: 700 });
      await page.goto(`${node.rest}/#settled_settlement_v1_Query_Invoices`);
      const row = page.locator("#settled_settlement_v1_Query_Invoices");
      await expect.poll(() => row.getAttribute("open")).toBe("");
      await row.getByRole("button", { name: "Send" }).click();
      await expect.poll(() => row.locator(".status").textContent()).toMatch(/^HTTP 200/);
      await row.locator(".schema > summary").click();
      const width = await page.locator("html").evaluate(({ scrollWidth }) => scrollWidth);
      expect(width).toBeLessThanOrEqual(380);
      // What was opened is not under the search, which stays at the top.
      const bar = await page.locator("#search").boundingBox();
      await page.goto("about:blank");
      await page.goto(`${node.rest}/#settled_settlement_v1_Query_Invoices`);
      await expect.poll(async () => (await row.boundingBox())?.y).toBeLessThan(300);
      expect((await row.boundingBox())?.y).toBeGreaterThanOrEqual(bar?.height ?? 0);
      expect(log.complaints).toEqual([]);
    });
  });

  /** A page of another origin than the node's doors. */
  async function openOther(name = "localhost"): Promise<Page> {
    const server = createServer((_, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>another origin</title>");
    });
    others.push(server);
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const opened = await browser.context.newPage();
    await opened.goto(`http://${name}:${(server.address() as AddressInfo).port}/`);
    return opened;
  }

  describe("a page of another origin", () => {
    test("reads REST with a height, which is asked for by a preflight", async () => {
      page = await openOther();
      const { height } = await node.send(msg.send(stranger, customer.address, "1uve"));
      const url = `${node.rest}/cosmos/bank/v1beta1/balances/${customer.address}`;
      const answer = await page.evaluate(
        async ({ url: to, height: asked }) => {
          const response = await fetch(to, { headers: { "x-cosmos-block-height": asked } });
          const seen = response.headers.get("x-cosmos-block-height");
          return { status: response.status, height: seen, text: await response.text() };
        },
        { url, height },
      );
      expect(answer).toMatchObject({ status: 200, height });
      expect(answer.text).toContain('"denom":"uve"');
    });

    test("posts JSON to REST and reads the refusal", async () => {
      page = await openOther();
      const answer = await page.evaluate(async (url) => {
        const headers = { "content-type": "application/json" };
        const response = await fetch(url, { method: "POST", headers, body: "{}" });
        return { status: response.status, json: await response.json() };
      }, `${node.rest}/cosmos/tx/v1beta1/txs`);
      expect(answer).toMatchObject({ status: 400, json: { code: 3 } });
    });

    test("calls gRPC-Web and reads message, trailers and height", async () => {
      page = await openOther();
      const request = QueryBalanceRequest.fromPartial({ address: customer.address, denom: "uve" });
      const url = `${node.rest}/cosmos.bank.v1beta1.Query/Balance`;
      const call = { url, message: [...QueryBalanceRequest.encode(request).finish()] };
      const answer = await page.evaluate(async ({ url: to, message }) => {
        const body = Uint8Array.from([0, 0, 0, 0, message.length, ...message]);
        const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
        const response = await fetch(to, { method: "POST", headers, body });
        const bytes = new Uint8Array(await response.arrayBuffer());
        const frames: { flags: number; content: number[] }[] = [];
        for (let at = 0; at < bytes.length; ) {
          const length = new DataView(bytes.buffer, at + 1, 4).getUint32(0);
          const content = [...bytes.slice(at + 5, at + 5 + length)];
          frames.push({ flags: bytes[at] as number, content });
          at += 5 + length;
        }
        const height = response.headers.get("x-cosmos-block-height");
        return { status: response.status, height, frames };
      }, call);
      expect(answer.frames.map(({ flags }) => flags)).toEqual([0, 0x80]);
      const [message, trailers] = answer.frames.map(({ content }) => Buffer.from(content));
      const { balance } = QueryBalanceResponse.decode(must(message, "a message"));
      expect(balance?.denom).toBe("uve");
      expect(trailers?.toString()).toContain("grpc-status:0\r\n");
      expect([answer.status, answer.height]).toEqual([200, expect.stringMatching(/^[1-9]/)]);
    });

    test("posts JSON-RPC, also as a batch", async () => {
      page = await openOther();
      const answers = await page.evaluate(async (url) => {
        const call = (id: number, method: string) => ({ jsonrpc: "2.0", id, method, params: {} });
        const headers = { "content-type": "application/json" };
        const ask = async (body: unknown) => {
          const text = JSON.stringify(body);
          return (await fetch(url, { method: "POST", headers, body: text })).json();
        };
        return [await ask(call(1, "status")), await ask([call(2, "health"), call(3, "status")])];
      }, rpc);
      expect(answers[0]).toMatchObject({ id: 1, result: STATUS });
      expect(answers[1]).toMatchObject([
        { id: 2, result: {} },
        { id: 3, result: STATUS },
      ]);
    });

    test("subscribes over a WebSocket and sees the tx that it sends by JSON-RPC", async () => {
      page = await openOther();
      const tx = toBase64(await node.tx(msg.send(stranger, customer.address, "3uve")));
      const query = `tm.event='Tx' AND transfer.recipient='${customer.address}'`;
      const frames = await page.evaluate(
        async ({ url, query: wanted, tx: bytes }) => {
          const socket = new WebSocket(`${url.replace("http", "ws")}/websocket`);
          const frame = () =>
            new Promise<unknown>((resolve) => {
              socket.onmessage = ({ data }) => resolve(JSON.parse(data as string));
            });
          await new Promise((resolve, reject) => {
            socket.onopen = resolve;
            socket.onerror = () => reject(new Error("the socket did not open"));
          });
          const call = (method: string, params: object) =>
            JSON.stringify({ jsonrpc: "2.0", id: 7, method, params });
          const first = frame();
          socket.send(call("subscribe", { query: wanted }));
          const subscribed = await first;
          const next = frame();
          const body = call("broadcast_tx_sync", { tx: bytes });
          const headers = { "content-type": "application/json" };
          const sent = await (await fetch(url, { method: "POST", headers, body })).json();
          const event = await next;
          socket.close();
          return [subscribed, sent, event];
        },
        { url: rpc, query, tx },
      );
      expect(frames).toMatchObject([
        { jsonrpc: "2.0", id: 7, result: {} },
        { id: 7, result: { code: 0 } },
        { id: 7, result: { query, data: { type: "tendermint/event/Tx" } } },
      ]);
    });
  });

  test("a page of the public net, which nobody allowed, reads nothing", async () => {
    page = await openOther(PUBLIC_NAME);
    const log = await watched(page, [host(node.rest), host(rpc)]);
    const outcomes = await page.evaluate(
      async ({ reading, socket }) => {
        const read = async (url: string) =>
          fetch(url).then(
            async (response) => response.text(),
            (error: unknown) => String(error),
          );
        const opened = new Promise<string>((resolve) => {
          const one = new WebSocket(socket);
          one.onopen = () => resolve("open");
          one.onerror = () => resolve("refused");
        });
        return [...(await Promise.all(reading.map(read))), await opened];
      },
      {
        reading: [`${node.rest}/cosmos/bank/v1beta1/params`, `${rpc}/status`],
        socket: `${rpc.replace("http", "ws")}/websocket`,
      },
    );
    const failed = "TypeError: Failed to fetch";
    expect(outcomes).toEqual([failed, failed, "refused"]);
    expect(log.complaints.join("\n")).toContain("Access-Control-Allow-Origin");
  });
});
