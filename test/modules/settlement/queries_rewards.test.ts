import { beforeAll, describe, expect, test } from "vitest";
import type * as ext from "../../../src/gen/settled/settlement/v1/query.ts";
import type { RewardHistoryEntry } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import { provider, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { rewardMsg } from "../../testkit/reward_messages.ts";
import { see } from "../../testkit/views.ts";

const DEPLOYED = "virtengine.settlement.v1.Query";
const OWN = "settled.settlement.v1.Query";
const REPLY_ROWS = 10_000;

type RowsRequest = Partial<Omit<ext.QueryRewardRowsRequest, "pagination">> & {
  readonly pagination?: object;
};

async function rowPage(chain: TestChain, o: RowsRequest): Promise<ext.QueryRewardRowsResponse> {
  return chain.query(`${OWN}/RewardRows`, o);
}

/** All pages, one after the other. */
async function rowPages(chain: TestChain, o: RowsRequest): Promise<RewardHistoryEntry[]> {
  const rows: RewardHistoryEntry[] = [];
  for (let key: Uint8Array | undefined = new Uint8Array(0); key !== undefined; ) {
    const { entries, pagination } = await rowPage(chain, {
      ...o,
      pagination: { ...o.pagination, key },
    });
    rows.push(...entries);
    key = pagination?.nextKey.length ? pagination.nextKey : undefined;
  }
  return rows;
}

describe("RULES 36 rewards of an address beyond one reply", () => {
  let chain: TestChain;
  beforeAll(async () => {
    chain = await openChain();
    for (let made = 0; made <= REPLY_ROWS; ) {
      const messages = [];
      for (let n = 0; n < 250 && made <= REPLY_ROWS; n += 1, made += 1) {
        messages.push(rewardMsg.verification(stranger.address, 0, { reference: `r-${made}` }));
      }
      await chain.ok(...messages);
    }
  });

  test.each([0, 20_000])("RULES 36 a history of limit %s: ResourceExhausted", async (limit) => {
    const answer = await chain.ask(`${DEPLOYED}/RewardHistory`, {
      ...{ address: stranger.address, limit },
    });
    expect(answer.log).toContain("code = ResourceExhausted");
    expect(answer.log).toContain(`${OWN}/RewardRows`);
    expect(answer.value).toHaveLength(0);
  });

  test("RULES 36 a history of at most 10,000 rows is answered as deployed", async () => {
    const at = (limit: number, offset = 0) =>
      see.history(chain, stranger.address, { limit, offset });
    const newest = await at(REPLY_ROWS);
    expect(newest).toHaveLength(REPLY_ROWS);
    // Of what an offset leaves, no more than 10,000 rows are asked for.
    for (const limit of [0, REPLY_ROWS + 1]) {
      const older = await at(limit, 1);
      expect(older).toHaveLength(REPLY_ROWS);
      expect(older[0]).toEqual(newest[1]);
    }
  });

  test("RULES 36 what may be claimed: ResourceExhausted, and in pages all of it", async () => {
    const address = stranger.address;
    const answer = await chain.ask(`${DEPLOYED}/ClaimableRewards`, { address });
    expect(answer.log).toContain("code = ResourceExhausted");
    expect(answer.log).toContain(`${OWN}/RewardEntries`);
    expect(answer.value).toHaveLength(0);
    const page: ext.QueryRewardEntriesResponse = await chain.query(`${OWN}/RewardEntries`, {
      ...{ address, pagination: { limit: 1n, countTotal: true } },
    });
    expect(page.pagination?.total).toBe(BigInt(REPLY_ROWS + 1));
  });

  test("pages give every row once, of the source that is asked for", async () => {
    const address = stranger.address;
    const rows = await rowPages(chain, {
      ...{ address, source: "verification", pagination: { limit: 1000n } },
    });
    expect(new Set(rows.map(({ referenceId }) => referenceId)).size).toBe(REPLY_ROWS + 1);
    expect(rows).toHaveLength(REPLY_ROWS + 1);
    expect(await rowPages(chain, { address, source: "usage" })).toEqual([]);
  });
});

describe("pages of reward rows", () => {
  let chain: TestChain;
  beforeAll(async () => {
    chain = await openChain({
      params: { staking_reward_epoch_length: "8" },
      extended: { reward_pool_address: provider.address },
    });
    await activeEscrow(chain, "100000uve");
    await acknowledged(chain, await recordedCosts(chain, [1000, 2000, 3000]));
    await settled(chain);
    await chain.blocksTo(8n);
    await chain.ok(rewardMsg.verification(provider.address, 50));
  });

  test("are the rows of the history, oldest first, or newest when reversed", async () => {
    const history = await see.history(chain, provider.address);
    expect(history.map(({ source }) => source)).toEqual([
      ...["verification", "staking", "usage", "usage", "usage"],
    ]);
    const address = provider.address;
    const reverse = true;
    for (const limit of [0n, 1n, 2n]) {
      expect(await rowPages(chain, { address, pagination: { limit, reverse } })).toEqual(history);
      const sources = (await rowPages(chain, { address, pagination: { limit } })).map(
        ({ source }) => source,
      );
      expect(sources).toEqual(["usage", "usage", "usage", "staking", "verification"]);
    }
  });

  test("count distributions: all rows of one are on one page", async () => {
    const pagination = { limit: 1n, countTotal: true };
    const page = await rowPage(chain, { address: provider.address, pagination });
    expect(page.entries).toHaveLength(3);
    expect(page.pagination?.total).toBe(3n);
  });

  test("of a source have its rows only; an unknown one, or no address, is refused", async () => {
    const rows = await rowPages(chain, { address: provider.address, source: "staking" });
    expect(rows.map(({ source, epochNumber }) => [source, epochNumber])).toEqual([["staking", 0n]]);
    for (const [asked, text] of [
      [{ address: provider.address, source: "nope" }, 'unknown source "nope"'],
      [{ address: "" }, "InvalidArgument"],
    ] as const) {
      const answer = await chain.ask(`${OWN}/RewardRows`, asked);
      expect(answer.log).toContain("code = InvalidArgument");
      expect(answer.log).toContain(text);
    }
  });
});
