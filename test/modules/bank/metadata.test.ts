import { beforeAll, expect, test } from "vitest";
import type {
  QueryDenomMetadataResponse,
  QueryDenomsMetadataResponse,
} from "../../../src/gen/cosmos/bank/v1beta1/query.ts";
import { customer } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";

let chain: TestChain;
beforeAll(async () => {
  chain = await openChain({ funds: { [customer.address]: "5ibc/AB,7uusd,9uve" } });
});

test("the metadata of a denom has its base unit and the one that people count in", async () => {
  const path = "cosmos.bank.v1beta1.Query/DenomMetadata";
  const { metadata } = await chain.query<QueryDenomMetadataResponse>(path, { denom: "uve" });
  expect(metadata).toMatchObject({
    ...{ base: "uve", display: "ve", symbol: "VE", name: "VE" },
    denomUnits: [
      { denom: "uve", exponent: 0 },
      { denom: "ve", exponent: 6 },
    ],
  });
  const other = await chain.query<QueryDenomMetadataResponse>(path, { denom: "ibc/AB" });
  expect(other.metadata).toMatchObject({
    ...{ base: "ibc/AB", display: "ibc/AB", symbol: "ibc/AB" },
    denomUnits: [{ denom: "ibc/AB", exponent: 0 }],
  });
  expect(await chain.ask(path, { denom: "unknown" })).toMatchObject({ code: 22 });
  expect(await chain.ask(path, { denom: "!" })).toMatchObject({ code: 18 });
});

test("all denoms that there are coins of have metadata, in pages", async () => {
  const path = "cosmos.bank.v1beta1.Query/DenomsMetadata";
  const bases: string[] = [];
  for (let key: Uint8Array | undefined = new Uint8Array(0); key !== undefined && key !== null; ) {
    const pagination: object = { limit: 2n, key };
    const page: QueryDenomsMetadataResponse = await chain.query(path, { pagination });
    bases.push(...page.metadatas.map(({ base }) => base));
    key = page.pagination?.nextKey.length === 0 ? undefined : page.pagination?.nextKey;
  }
  expect(bases).toEqual(["ibc/AB", "uusd", "uve"]);
});
