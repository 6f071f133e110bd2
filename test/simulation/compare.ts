import * as messages from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import { TxMsgData } from "../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import { moduleAddress } from "../../src/types/address.ts";
import type { Event } from "../../src/types/event.ts";
import type { TimeNs } from "../../src/types/time.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { CHAIN_ID, genesisOf, openChain, type TestChain } from "../testkit/chain.ts";
import { GENESIS_TIME } from "../testkit/times.ts";
import { Model } from "./model.ts";
import { type Done, type ModelEvent, type ModelMessage, Refusal } from "./model_state.ts";
import { type Coins, parsed, text } from "./model_sums.ts";
import {
  type Facts,
  isSigned,
  messagesOf,
  PARTIES,
  paramsOf,
  type Plan,
  timeAfter,
} from "./operations.ts";

/** A block as messages, to be run as they are. */
export interface ConcreteBlock {
  readonly timeNs: bigint;
  readonly txs: readonly (readonly ModelMessage[])[];
}

/** All that a run depends on. */
export interface Setting {
  readonly params: Facts;
  readonly extended: Facts;
  /** uve and uusd of the account `reward_pool` at genesis. */
  readonly pool: bigint;
}

/** Where module and model first part: `what` says both sides. */
export interface Disagreement {
  readonly what: string;
  readonly setting: Setting;
  readonly blocks: readonly ConcreteBlock[];
}

const MODULES = [
  ...["settlement_escrow", "settlement", "settlement_platform_fee", "settlement_validator_fee"],
  ...["rewards", "reward_pool", "fee_collector"],
];
const PREFIX = "virtengine.settlement.v1.Event";
const FEE = { amount: [], gasLimit: 4_000_000n };
/** Of each denom, for everybody: enough for the largest deposits. */
const FUNDS = 2n ** 251n;

/** The module in a real chain and the model beside it. */
export class Comparison {
  readonly chain: TestChain;
  readonly model: Model;
  readonly setting: Setting;
  readonly blocks: ConcreteBlock[] = [];
  readonly #sequences = new Map<string, bigint>();
  readonly #numbers = new Map<string, bigint>();

  private constructor(chain: TestChain, model: Model, setting: Setting) {
    this.chain = chain;
    this.model = model;
    this.setting = setting;
  }

  static async open(setting: Setting): Promise<Comparison> {
    const modules = Object.fromEntries(MODULES.map((name) => [name, moduleAddress(name, "ve")]));
    const authority = PARTIES.find(({ name }) => name === "authority")?.address ?? "";
    const coins = (amount: bigint) => (amount === 0n ? "" : `${amount}uusd,${amount}uve`);
    const pool = modules["reward_pool"] as string;
    const funds = Object.fromEntries(PARTIES.map(({ address }) => [address, coins(FUNDS)]));
    const { params, extended } = setting;
    const amounts = { ...funds, [pool]: coins(setting.pool) };
    const chain = await openChain({ genesis: genesisOf({ params, extended, funds: amounts }) });
    const balances = PARTIES.map(({ address }): [string, Coins] => [address, each(FUNDS)]);
    const model: Model = new Model({
      ...{ balances: new Map([...balances, [pool, each(setting.pool)]]), modules },
      ...{ params: { ...params, ...extended, authority }, timeNs: GENESIS_TIME },
      isSigned: (message) => isSigned(model, message),
    });
    const both = new Comparison(chain, model, setting);
    for (const { address } of PARTIES) {
      both.#numbers.set(address, (await chain.accountOf(address)).number);
    }
    return both;
  }

  /**
   * Runs a block on both sides.
   * @param drawTx the next tx of the block, drawn against the model as it is then; undefined to end
   * @returns what they disagree about
   */
  async block(
    timeNs: bigint,
    drawTx: (at: number) => readonly ModelMessage[] | undefined,
    tally?: Counts,
  ): Promise<string | undefined> {
    const { model, chain } = this;
    const blockEvents = [...model.begin(timeNs)];
    const txs: (readonly ModelMessage[])[] = [];
    const expected: (readonly Done[] | Refusal)[] = [];
    for (let tx = drawTx(0); tx !== undefined; tx = drawTx(txs.length)) {
      txs.push(tx);
      const outcome = model.deliver(tx);
      expected.push(outcome);
      if (tally !== undefined) count(tally, outcome);
    }
    blockEvents.push(...model.end());
    this.blocks.push({ timeNs, txs });
    chain.time = timeNs as TimeNs;
    const bytes: Uint8Array[] = [];
    for (const [at, tx] of txs.entries()) bytes.push(this.#signed(tx, expected[at]));
    const { txResults, events } = await chain.block(...bytes);
    for (const [at, result] of txResults.entries()) {
      const differs = differenceOfTx(expected[at] as readonly Done[] | Refusal, result);
      if (differs === undefined) continue;
      const names = txs[at]?.map(({ type }) => type).join(", ");
      return `tx ${at + 1} (${names}) of block ${chain.height}: ${differs}; log: ${result.log}`;
    }
    const differs = differenceOfEvents(blockEvents, events);
    return differs === undefined ? undefined : `events of block ${chain.height} itself: ${differs}`;
  }

  /** A tx with the next number of its signer. */
  #signed(
    tx: readonly ModelMessage[],
    expected: readonly Done[] | Refusal | undefined,
  ): Uint8Array {
    const messages = tx.map(wired);
    const { signer } = messages[0] as (typeof messages)[0];
    const { address } = signer;
    const sequence = this.#sequences.get(address) ?? 0n;
    const isFree = expected instanceof Refusal && expected.isAlone;
    if (!isFree) this.#sequences.set(address, sequence + 1n);
    const accountNumber = this.#numbers.get(address) as bigint;
    const rest = { memo: "", timeoutHeight: 0n, mode: "direct" as const, fee: FEE };
    return buildTx({ messages, signer, chainId: CHAIN_ID, accountNumber, sequence, ...rest });
  }

  /** Compares all balances and records. @returns what they disagree about */
  async state(): Promise<string | undefined> {
    const { appState } = await this.chain.app.exportGenesis();
    const { bank, settlement } = appState as Record<string, Record<string, readonly Facts[]>>;
    const balances = new Map(bank?.["balances"]?.map(({ address, coins }) => [address, coins]));
    for (const [address, coins] of this.model.balances) {
      const [ours, theirs] = [plain(coins), plain(balances.get(address) ?? [])];
      if (ours !== theirs) return `balance of ${this.#nameOf(address)}: ${sides(ours, theirs)}`;
    }
    for (const [name, records] of this.#records()) {
      const found = [...(settlement?.[name] ?? [])];
      found.sort((a, b) => Number(a["seq"] ?? 0) - Number(b["seq"] ?? 0));
      if (found.length !== records.length) {
        return `number of ${name}: ${sides(records.length, found.length)}`;
      }
      for (const [at, record] of records.entries()) {
        const differs = differenceOfRecord(record, found[at] as Facts);
        if (differs !== undefined) return `${name} ${at + 1}: ${differs}`;
      }
    }
    return undefined;
  }

  /** Records of the model by their name in genesis. */
  #records(): [string, readonly object[]][] {
    const { escrows, usage, settlements, invoices, payouts, distributions } = this.model;
    const { entries, claimables } = this.model;
    const byAddress = [...claimables.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    return [
      ...([
        ["escrows", escrows],
        ["usage", usage],
        ["settlements", settlements],
      ] as const),
      ...([
        ["invoices", invoices],
        ["payouts", payouts],
      ] as const),
      ...([
        ["distributions", distributions],
        ["claimable", byAddress],
      ] as const),
      ["reward_entries", [...entries.values()].sort((a, b) => Number(a.seq - b.seq))],
    ].map(([name, records]) => [name as string, records as readonly object[]]);
  }

  #nameOf(address: string): string {
    const party = PARTIES.find((each) => each.address === address)?.name;
    const module = MODULES.find((name) => this.model.modules[name] === address);
    return party ?? module ?? address;
  }
}

/** Where a run counts what came of its messages. */
interface Counts {
  accepted: number;
  readonly refused: Map<number, number>;
}

export interface RunOptions {
  /** Blocks between two comparisons of all records. */
  readonly stateEvery?: number;
  readonly tally?: Counts;
  /** Params that the model alone gets, so that a test sees a disagreement. */
  readonly modelParams?: Facts;
}

/**
 * Runs a plan on both sides, all records compared every `stateEvery` blocks and at the end.
 * @returns the first disagreement
 */
export async function runPlan(
  plan: Plan,
  options: RunOptions = {},
): Promise<Disagreement | undefined> {
  const { stateEvery = 8, tally, modelParams } = options;
  const both = await Comparison.open(paramsOf(plan.seed));
  Object.assign(both.model.params, modelParams);
  const { setting, blocks } = both;
  for (const [at, { step, txs }] of plan.blocks.entries()) {
    const drawTx = (index: number) => {
      const seeds = txs[index];
      return seeds === undefined ? undefined : messagesOf(both.model, seeds);
    };
    let what = await both.block(timeAfter(both.model, step), drawTx, tally);
    const isLast = at === plan.blocks.length - 1;
    if (what === undefined && (isLast || at % stateEvery === 0)) what = await both.state();
    if (what !== undefined) return { what, setting, blocks };
  }
  await both.chain.checkFullInvariants();
  return undefined;
}

/** Runs blocks as they are, everything compared after each. @returns the first disagreement */
export async function runBlocks(
  setting: Setting,
  blocks: readonly ConcreteBlock[],
): Promise<string | undefined> {
  const both = await Comparison.open(setting);
  for (const { timeNs, txs } of blocks) {
    const what = (await both.block(timeNs, (at) => txs[at])) ?? (await both.state());
    if (what !== undefined) return what;
  }
  return undefined;
}

function count(tally: Counts, outcome: readonly Done[] | Refusal): void {
  if (!(outcome instanceof Refusal)) tally.accepted += outcome.length;
  else tally.refused.set(outcome.code, (tally.refused.get(outcome.code) ?? 0) + 1);
}

function wired({ type, value }: ModelMessage) {
  const codec = messages[type as "MsgCreateEscrow"];
  const signer = PARTIES.find(({ address }) => address === value.sender);
  if (signer === undefined) throw new Error(`nobody signs for ${value.sender}`);
  const bytes = codec.encode(value as messages.MsgCreateEscrow).finish();
  return { typeUrl: `/virtengine.settlement.v1.${type}`, value: bytes, signer };
}

function differenceOfTx(expected: readonly Done[] | Refusal, result: TxResult): string | undefined {
  const ours = expected instanceof Refusal ? `settlement/${expected.code}` : "success";
  const theirs = result.code === 0 ? "success" : `${result.codespace}/${result.code}`;
  if (ours !== theirs) return sides(ours, theirs);
  if (expected instanceof Refusal) return undefined;
  const responses = responsesOf(result);
  for (const [index, { response, events }] of expected.entries()) {
    const differs =
      differenceOfRecord(response, responses[index] as Facts) ??
      differenceOfEvents(events, ofMessage(result.events, index));
    if (differs !== undefined) return `message ${index + 1}: ${differs}`;
  }
  return undefined;
}

function responsesOf(result: TxResult): Facts[] {
  return TxMsgData.decode(result.data).msgResponses.map(({ typeUrl, value }) => {
    const name = typeUrl.slice(typeUrl.lastIndexOf(".") + 1) as "MsgCreateEscrowResponse";
    return messages[name].decode(value) as unknown as Facts;
  });
}

function ofMessage(events: readonly Event[], index: number): Event[] {
  return events.filter(({ attributes }) => {
    return attributes.some(({ key, value }) => key === "msg_index" && value === `${index}`);
  });
}

/** Events as sets: no document says in which order those of one message come. */
function differenceOfEvents(
  expected: readonly ModelEvent[],
  found: readonly Event[],
): string | undefined {
  const theirs = found
    .filter(({ type }) => type.startsWith(PREFIX))
    .map(({ type, attributes }) => {
      const own = attributes.filter(({ key }) => key !== "msg_index" && key !== "mode");
      return lineOf(
        type.slice(PREFIX.length),
        own.map(({ key, value }) => [key, value]),
      );
    })
    .sort();
  const ours = expected.map(({ name, attributes }) => lineOf(name, Object.entries(attributes)));
  ours.sort();
  const missing = ours.filter((line) => !theirs.includes(line));
  const extra = theirs.filter((line) => !ours.includes(line));
  if (missing.length + extra.length === 0 && ours.length === theirs.length) return undefined;
  return `events: ${sides(missing.join(" | ") || ours.length, extra.join(" | ") || theirs.length)}`;
}

function lineOf(name: string, attributes: readonly (readonly [string, string])[]): string {
  const known = attributes.filter(([key]) => !(name === "RewardSkipped" && key === "reason"));
  const sorted = known.map(([key, value]) => `${key}=${value}`).sort();
  return `${name} ${sorted.join(" ")}`;
}

/** Fields that the model has. Both sides name them alike, in camel or snake case. */
function differenceOfRecord(record: object, found: Facts): string | undefined {
  for (const [key, value] of Object.entries(record)) {
    const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const [ours, theirs] = [plain(value), plain(found[key] ?? found[snake])];
    if (value !== "*" && ours !== theirs) return `${snake}: ${sides(ours, theirs)}`;
  }
  return undefined;
}

/** A value as text, whatever side it is of: "" is 0, null and no coins. */
function plain(value: unknown): string {
  if (value instanceof Map) return text(value as Coins);
  if (Array.isArray(value)) return text(parsed(value as never) ?? new Map());
  if (value === undefined || value === null) return "";
  const found = String(value).replace(/^[A-Z]+_(STATUS|TYPE|SOURCE)_/, "");
  if (found === "0") return "";
  return found === String(value) ? found : found.toLowerCase();
}

function each(amount: bigint): Coins {
  return new Map(
    amount === 0n
      ? []
      : [
          ["uusd", amount],
          ["uve", amount],
        ],
  );
}

function sides(model: unknown, module: unknown): string {
  return `the model has ${show(model)}, the module ${show(module)}`;
}

function show(value: unknown): string {
  return value === "" ? "nothing" : `${value}`;
}

/** What to paste into a test, so that it runs the same blocks. */
export function asSource({ setting, blocks }: Disagreement): string {
  const { params, extended, pool } = setting;
  const lines = blocks.map(({ timeNs, txs }) => {
    return `  { timeNs: ${timeNs}n, txs: [${txs.map((tx) => literal(tx)).join(", ")}] },`;
  });
  const head = `const setting = ${literal({ params, extended, pool })};`;
  return [head, "const blocks = [", ...lines, "];", `// chain id ${CHAIN_ID}`].join("\n");
}

function literal(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `Uint8Array.of(${[...value].join(", ")})`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const fields = Object.entries(value).map(([key, each]) => `${key}: ${literal(each)}`);
  return `{ ${fields.join(", ")} }`;
}
