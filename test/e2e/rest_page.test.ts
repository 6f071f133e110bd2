import { afterAll, beforeAll, expect, test } from "vitest";
import { must } from "../../src/lib/assert.ts";
import { customer } from "../testkit/accounts.ts";
import { until } from "../testkit/until.ts";
import { type EverythingNode, startEverythingNode } from "./everything_node.ts";
import { type FakeElement, openPage, parseHtml } from "./fake_browser.ts";

// The page as the node serves it, in a stand-in for a browser.

let node: EverythingNode;
let page: FakeElement;

beforeAll(async () => {
  node = await startEverythingNode();
  page = parseHtml(await (await fetch(`${node.rest}/`)).text());
  openPage(page, node.rest);
  const script: string = "../../src/api/rest/page/page.mjs";
  await import(script);
  await until(() => page.find((one) => one.id === "count")?.textContent !== "", "the page");
});
afterAll(() => node?.stop());

function byId(id: string): FakeElement {
  return must(
    page.find((one) => one.id === id),
    id,
  );
}

/** Opens an operation, as a click on it does. */
function opened(id: string): FakeElement {
  const row = byId(id);
  row.fire("toggle");
  return row;
}

test("it tells the chain, and lists every operation under its module", async () => {
  await until(
    () => byId("node").textContent.startsWith("Chain settled-test, height "),
    "the chain",
  );
  const rows = byId("operations")
    .all()
    .filter((one) => one.className === "operation");
  expect(byId("count").textContent).toBe(`${rows.length} of ${rows.length}`);
  expect(rows.length).toBeGreaterThan(75);
  const titles = byId("operations")
    .all()
    .filter(({ tag }) => tag === "h2");
  expect(titles.map(({ textContent }) => textContent)).toContain("settled.settlement.v1");
});

test("words leave what has them", () => {
  const filter = byId("filter");
  filter.value = "denoms_metadata denom";
  filter.fire("input");
  expect(byId("count").textContent).toMatch(/^2 of /);
  expect(byId("cosmos_bank_v1beta1_Query_Balance").hidden).toBe(true);
  expect(byId("cosmos_bank_v1beta1_Query_DenomMetadata").hidden).toBe(false);
  filter.value = "";
  filter.fire("input");
});

test("a form is filled, shown for a shell, sent and answered", async () => {
  const row = opened("cosmos_bank_v1beta1_Query_Balance");
  const part = (name: string) => row.querySelector(`.${name}`);
  const field = (name: string) =>
    must(
      row.find((one) => one.name === name),
      name,
    );
  expect(part("curl").value).toBe("address is needed");
  expect(part("shape").textContent).toBe(
    "balance: Coin or null\n  denom: string\n  amount: string",
  );
  field("address").value = customer.address;
  field("denom").value = "uve";
  part("try").fire("input");
  const path = `/cosmos/bank/v1beta1/balances/${customer.address}/by_denom?denom=uve`;
  expect(part("curl").value).toBe(`curl '${node.rest}${path}'`);
  part("try").fire("submit");
  await until(() => part("status").textContent.startsWith("HTTP"), "an answer");
  expect(part("status").textContent).toMatch(/^HTTP 200, height [0-9]+$/);
  expect(JSON.parse(part("result").textContent)).toMatchObject({ balance: { denom: "uve" } });
  expect(part("answer").hidden).toBe(false);
  byId("height").value = "none";
  part("try").fire("submit");
  await until(() => part("status").textContent === "HTTP 400", "a refusal");
  expect(part("answer").matches(".failed")).toBe(true);
  byId("height").value = "";
});

test("a body is proposed, and what the node says of it is shown", async () => {
  const row = opened("cosmos_tx_v1beta1_Service_BroadcastTx");
  const part = (name: string) => row.querySelector(`.${name}`);
  expect(part("curl").value).toContain("-X POST -H 'content-type: application/json' -d '{");
  part("try").fire("submit");
  await until(() => part("status").textContent.startsWith("HTTP"), "an answer");
  expect(part("status").textContent).toBe("HTTP 400");
  expect(part("result").textContent).toContain('"code": 3');
});
