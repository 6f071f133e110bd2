import { beforeEach, describe, expect, test } from "vitest";
import { customer, provider, stranger, testAccount } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { coins } from "../../testkit/coins.ts";
import { machineOf } from "../../testkit/machine.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";

const START = 1_000_000_000_000n;
const NEW = testAccount("somebody new").address;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

describe("a transfer", () => {
  test("moves coins of several denoms and makes the receiver's account", async () => {
    await chain.ok(msg.send(customer, NEW, "7uve,3uusd"));
    expect(await chain.balances(NEW)).toBe("3uusd,7uve");
    expect(await chain.balance(customer.address)).toBe(START - 7n);
    expect((await chain.accountOf(NEW)).number).toBe(14n);
  });

  test("emits the standard events", async () => {
    const result = await chain.ok(msg.send(customer, NEW, "7uve,3uusd"));
    const amount = "3uusd,7uve";
    expect(eventsOf(result, "coin_spent")).toEqual([{ spender: customer.address, amount }]);
    expect(eventsOf(result, "coin_received")).toEqual([{ receiver: NEW, amount }]);
    expect(eventsOf(result, "transfer")).toEqual([
      { recipient: NEW, sender: customer.address, amount },
    ]);
  });

  test("of more than there is fails with sdk/5, naming both amounts", async () => {
    const message = msg.send(customer, NEW, `1uusd,${START + 1n}uve`);
    const text = `spendable balance ${START}uve is smaller than ${START + 1n}uve: insufficient funds`;
    await chain.refused(message, "sdk/5", text);
    await chain.refused(msg.send(customer, NEW, "1unknown"), "sdk/5", "0unknown");
  });

  test.each<[name: string, amount: string, code: string, part: string]>([
    ["nothing", "", "sdk/10", "no coins"],
    ["zero", "0uve", "sdk/10", "not positive"],
    ["less than zero", "-1uve", "sdk/10", "not positive"],
    ["one denom twice", "1uve,2uve", "sdk/10", "appears twice"],
    ["a bad denom", "1u", "sdk/10", "invalid denom"],
    ["2^256", `${2n ** 256n}uve`, "sdk/10", "below 2^256"],
  ])("of %s is refused", async (_, amount, code, part) => {
    await chain.refused(msg.send(customer, NEW, amount), code, part);
  });

  test("to the same account is refused, in capital letters too", async () => {
    await chain.refused(msg.send(customer, customer.address, "1uve"), "bank/2", "same account");
    const capital = customer.address.toUpperCase();
    await chain.refused(msg.send(customer, capital, "1uve"), "bank/2", "same account");
  });

  test("to an address in capital letters reaches that address", async () => {
    await chain.ok(msg.send(customer, provider.address.toUpperCase(), "5uve"));
    expect(await chain.balance(provider.address)).toBe(START + 5n);
    expect(await chain.balance(provider.address.toUpperCase())).toBe(START + 5n);
  });

  test.each<[name: string, to: string, part: string]>([
    ["nowhere", "", "empty address"],
    ["no address", "ve1nope", "decoding bech32 failed"],
    ["another chain's address", "cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu", "expected ve"],
  ])("to %s is refused with sdk/7", async (_, to, part) => {
    await chain.refused(msg.send(customer, to, "1uve"), "sdk/7", part);
  });

  test.each([
    ...["fee_collector", "settlement_escrow", "settlement", "settlement_platform_fee"],
    ...["settlement_validator_fee", "rewards"],
  ])("to the module account %s is refused, in capital letters too", async (name) => {
    const address = moduleAccount(name);
    await chain.refused(msg.send(customer, address, "1uve"), "bank/3", address);
    await chain.refused(msg.send(customer, address.toUpperCase(), "1uve"), "bank/3", address);
    const outputs = [[NEW, "1uve"] as const, [address, "1uve"] as const];
    await chain.refused(msg.multiSend(customer, outputs, "2uve"), "bank/3", address);
  });

  test("to the reward pool is a donation that anyone may make", async () => {
    await chain.ok(msg.send(stranger, moduleAccount("reward_pool"), "9uve"));
    expect(await chain.balances(moduleAccount("reward_pool"))).toBe("9uve");
  });
});

describe("a multi-send", () => {
  test("goes from one account to many in one journal entry", async () => {
    const outputs = [
      [provider.address, "1uve"],
      [stranger.address, "2uve,5uusd"],
      [provider.address, "3uve"],
    ] as const;
    await chain.ok(msg.multiSend(customer, outputs, "6uve,5uusd"));
    expect(await chain.balance(provider.address)).toBe(START + 4n);
    expect(await chain.balance(stranger.address, "uusd")).toBe(START + 5n);
    expect(await chain.balance(customer.address)).toBe(START - 6n);
  });

  test("must add up", async () => {
    const message = msg.multiSend(customer, [[NEW, "3uve"]], "4uve");
    await chain.refused(message, "sdk/10", "inputs 4uve, outputs 3uve");
  });

  test("needs outputs, and no output to its own source", async () => {
    await chain.refused(msg.multiSend(customer, [], "1uve"), "sdk/18", "no outputs");
    const own = msg.multiSend(customer, [[customer.address, "1uve"]], "1uve");
    await chain.refused(own, "bank/2");
  });

  test("happens as a whole or not at all", async () => {
    const outputs = [
      [NEW, "1uve"],
      [provider.address, `${START}uve`],
    ] as const;
    await chain.refused(msg.multiSend(customer, outputs, `${START + 1n}uve`), "sdk/5");
    expect(await chain.balances(NEW)).toBe("");
  });
});

interface Entry {
  seq: bigint;
  kind: string;
  reference: string;
  height: bigint;
  timeNs: bigint;
  txHash: Uint8Array;
  reverses: bigint;
  hash: Uint8Array;
  postings: { source: string; destination: string; denom: string; amount: string }[];
}

async function journal(filter: object = {}): Promise<Entry[]> {
  const path = "settled.bank.v1.Query/JournalEntries";
  return (
    await chain.query<{ entries: Entry[] }>(path, { pagination: { limit: 1000n }, ...filter })
  ).entries;
}

describe("RULES 2 the journal", () => {
  test("RULES 2 every movement is one entry with its cause and postings", async () => {
    const time = chain.time;
    await chain.ok(msg.send(customer, NEW, "7uve,3uusd"));
    const entries = await journal();
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => BigInt(index + 1)));
    expect(entries.at(-1)).toMatchObject({
      kind: "send",
      reference: "",
      height: 1n,
      timeNs: time,
      reverses: 0n,
      postings: [
        { source: customer.address, destination: NEW, denom: "uusd", amount: "3" },
        { source: customer.address, destination: NEW, denom: "uve", amount: "7" },
      ],
    });
    expect(entries.at(-1)?.txHash).toHaveLength(32);
    expect(entries.slice(0, -1).every(({ kind }) => kind === "genesis")).toBe(true);
  });

  test("RULES 2 it is found by account and by reference", async () => {
    await chain.ok(msg.create(customer, "50uve"));
    await chain.ok(msg.send(stranger, provider.address, "1uve"));
    const ofEscrow = await journal({ reference: "escrow-1" });
    expect(ofEscrow.map(({ kind }) => kind)).toEqual(["escrow_deposit"]);
    const ofCustomer = await journal({ account: customer.address });
    expect(ofCustomer.map(({ kind }) => kind)).toEqual(["genesis", "escrow_deposit"]);
    const escrowAccount = moduleAccount("settlement_escrow");
    expect(await journal({ account: escrowAccount })).toEqual(ofEscrow);
    expect(await journal({ account: customer.address.toUpperCase() })).toEqual(ofCustomer);
    const both = await chain.ask("settled.bank.v1.Query/JournalEntries", {
      ...{ account: customer.address, reference: "escrow-1" },
    });
    expect(both.log).toContain("code = InvalidArgument");
  });

  test("RULES 2 an entry is found by number, an unknown one is NotFound", async () => {
    const path = "settled.bank.v1.Query/JournalEntry";
    const { entry } = await chain.query<{ entry: Entry }>(path, { seq: 2n });
    expect(entry).toEqual((await journal())[1]);
    for (const seq of [0n, 99n]) expect(await chain.ask(path, { seq })).toMatchObject({ code: 22 });
  });

  test("RULES 2 a correction is an entry that names what it reverses", async () => {
    const { ctx, bank, overlay, modules } = await machineOf(chain);
    const movement = {
      source: customer.address,
      destination: provider.address,
      coins: coins("5uve"),
    };
    const first = bank.post(ctx, { kind: "send", reference: "x", movements: [movement] });
    const back = { source: provider.address, destination: customer.address, coins: coins("5uve") };
    const second = bank.post(ctx, {
      ...{ kind: "reversal", reference: "x", movements: [back], reverses: first },
    });
    expect(second).toBe(first + 1n);
    expect(bank.balance(ctx, customer.address, "uve")).toBe(START);
    for (const { check } of modules.list.flatMap(({ invariants }) => invariants)) check(ctx);
    const { JournalEntry } = await import("../../../src/gen/settled/bank/v1/state.ts");
    const { journalKey } = await import("../../../src/modules/bank/keys.ts");
    const stored = JournalEntry.decode(overlay.get(journalKey(second)) as Uint8Array);
    expect(stored.reverses).toBe(first);
  });

  test("nothing to move is no entry", async () => {
    const { ctx, bank } = await machineOf(chain);
    expect(bank.post(ctx, { kind: "send", reference: "", movements: [] })).toBe(0n);
  });

  test("bank/4 the supply never passes 2^256 - 1", async () => {
    const { ctx, bank } = await machineOf(chain);
    const movement = { source: "mint", destination: NEW, coins: coins(`${2n ** 256n - 1n}uve`) };
    const post = () => bank.post(ctx, { kind: "mint", reference: "", movements: [movement] });
    expect(post).toThrow("supply of uve: amount exceeds 2^256 - 1");
    expect(post).toThrow(expect.objectContaining({ codespace: "bank", code: 4 }));
  });
});

describe("queries", () => {
  test("balances come sorted by denom, in pages", async () => {
    chain = await openChain({ funds: { [NEW]: "1zz9,2uve,3aaa,4uusd,5ibc/AB" } });
    expect(await chain.balances(NEW)).toBe("3aaa,5ibc/AB,4uusd,2uve,1zz9");
    const path = "cosmos.bank.v1beta1.Query/AllBalances";
    type Page = { balances: { denom: string }[]; pagination: { nextKey: Uint8Array } };
    const denoms: string[] = [];
    let key = new Uint8Array(0);
    do {
      const page: Page = await chain.query(path, { address: NEW, pagination: { key, limit: 2n } });
      denoms.push(...page.balances.map(({ denom }) => denom));
      key = Uint8Array.from(page.pagination.nextKey);
    } while (key.length > 0);
    expect(denoms).toEqual(["aaa", "ibc/AB", "uusd", "uve", "zz9"]);
  });

  test("a denom that another one begins with is another denom", async () => {
    chain = await openChain({ funds: { [NEW]: "1uve,2uvex" } });
    expect([await chain.balance(NEW, "uve"), await chain.balance(NEW, "uvex")]).toEqual([1n, 2n]);
  });

  test("a text that only shares its low bytes with a denom is none", async () => {
    const alias = await chain.ask("cosmos.bank.v1beta1.Query/SupplyOf", { denom: "\u0175ve" });
    expect(alias.log).toContain("code = InvalidArgument desc = invalid denom");
  });

  test("the supply is that of genesis and what was minted", async () => {
    const path = "cosmos.bank.v1beta1.Query/TotalSupply";
    const { supply } = await chain.query<{ supply: { denom: string; amount: string }[] }>(path);
    expect(supply).toEqual([
      { denom: "uusd", amount: `${6n * START}` },
      { denom: "uve", amount: `${6n * START}` },
    ]);
  });

  test("bad requests are InvalidArgument", async () => {
    const path = "cosmos.bank.v1beta1.Query/Balance";
    const noDenom = await chain.ask(path, { address: customer.address });
    expect(noDenom.log).toContain('code = InvalidArgument desc = invalid denom ""');
    const noAddress = await chain.ask(path, { address: "x", denom: "uve" });
    expect(noAddress).toMatchObject({ code: 18 });
  });
});
