import { buildTx } from "../../src/client/tx_builder.ts";
import { TxMsgData } from "../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { canonicalJson } from "../../src/codec/canonical_json.ts";
import { moduleAddress } from "../../src/types/address.ts";
import type { Event } from "../../src/types/event.ts";
import type { TimeNs } from "../../src/types/time.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { CHAIN_ID, genesisOf, openChain, type TestChain } from "../testkit/chain.ts";
import { GENESIS_TIME } from "../testkit/times.ts";
import { differenceOfEvents, differenceOfRecord, plain, sides } from "./difference.ts";
import { Model } from "./model.ts";
import { paramsFrom } from "./model_params.ts";
import { type Done, type Facts, type ModelMessage, Refusal } from "./model_state.ts";
import type { Coins } from "./model_sums.ts";
import { genesisRecords } from "./records.ts";
import { messagesOf, misdirectedBy, paramsOf, type Plan, timeAfter } from "./operations.ts";
import { isSigned, PARTIES } from "./parties.ts";
import { SecondSide } from "./second/compare.ts";

/** A block as messages, to be run as they are. */
export interface ConcreteBlock {
  readonly timeNs: bigint;
  readonly txs: readonly (readonly ModelMessage[])[];
  /** Before it: a new chain from the export (see restart). */
  readonly misdirected?: bigint;
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

const CODECS = { ...wire, ...own };
const MODULES = [
  ...["settlement_escrow", "settlement", "settlement_platform_fee", "settlement_validator_fee"],
  ...["rewards", "reward_pool", "fee_collector", "settlement_tax"],
];
const INVARIANTS_EVERY = 40;
const FEE = { amount: [], gasLimit: 4_000_000n };
/** Of each denom, for everybody: enough for the largest deposits. */
const FUNDS = 2n ** 251n;
/** Who cannot pay everything. */
const POOR: Readonly<Record<string, bigint>> = { stranger: 1000n, provider3: 1n };

/** The module in a real chain and the model beside it. */
export class Comparison {
  chain: TestChain;
  readonly model: Model;
  readonly second: SecondSide;
  /** Whether the second model is compared too. */
  hasSecond = true;
  readonly setting: Setting;
  readonly blocks: ConcreteBlock[] = [];
  readonly #sequences = new Map<string, bigint>();
  readonly #numbers = new Map<string, bigint>();

  private constructor(chain: TestChain, model: Model, second: SecondSide, setting: Setting) {
    this.chain = chain;
    this.model = model;
    this.second = second;
    this.setting = setting;
  }

  static async open(setting: Setting): Promise<Comparison> {
    const modules = Object.fromEntries(MODULES.map((name) => [name, moduleAddress(name, "ve")]));
    const authority = PARTIES.find(({ name }) => name === "authority")?.address ?? "";
    const coins = (amount: bigint) => (amount === 0n ? "" : `${amount}uusd,${amount}uve`);
    const pool = modules["reward_pool"] as string;
    const funds = Object.fromEntries(
      PARTIES.map(({ name, address }) => [address, coins(POOR[name] ?? FUNDS)]),
    );
    const { params, extended } = setting;
    const amounts = { ...funds, [pool]: coins(setting.pool) };
    const chain = await openChain({ genesis: genesisOf({ params, extended, funds: amounts }) });
    const balances = PARTIES.map(({ name, address }): [string, Coins] => {
      return [address, each(POOR[name] ?? FUNDS)];
    });
    const model = new Model({
      ...{ balances: new Map([...balances, [pool, each(setting.pool)]]), modules, isSigned },
      ...{ params: paramsFrom(params, extended, { authority }), timeNs: GENESIS_TIME },
    });
    const second = new SecondSide({
      ...{ balances: model.balances, modules, isSigned, timeNs: GENESIS_TIME, params },
      extended: { authority, ...extended },
    });
    const both = new Comparison(chain, model, second, setting);
    for (const { address } of PARTIES) {
      both.#numbers.set(address, (await chain.accountOf(address)).number);
    }
    return both;
  }

  /**
   * Goes on with a new chain from the export of this one (I-30).
   * @param misdirected number of an escrow whose recipient the genesis changes to an account that
   * cannot be paid, so that its payouts fail; 0n for none
   * @returns what the new chain has otherwise
   */
  async restart(misdirected: bigint): Promise<string | undefined> {
    const { chain, model } = this;
    const genesis = await chain.app.exportGenesis();
    const text = canonicalJson(genesis.appState);
    const recipient = model.modules["fee_collector"] as string;
    const { escrows } = genesis.appState["settlement"] as { escrows: Facts[] };
    const [escrow, found] = [model.escrows, escrows].map((list: readonly object[]) => {
      return list.find((each) => `${(each as Facts)["seq"]}` === `${misdirected}`);
    });
    for (const each of [escrow, found]) if (each) Object.assign(each, { recipient });
    const before = found === undefined ? text : canonicalJson(genesis.appState);
    this.second.restarted(misdirected);
    const next = await openChain({ genesis });
    const after = await next.exported();
    this.chain = next;
    if (after !== before) return `the import of block ${chain.height}: ${firstOff(before, after)}`;
    await next.checkFullInvariants();
    return undefined;
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
    misdirected?: bigint,
  ): Promise<string | undefined> {
    if (misdirected !== undefined) {
      this.blocks.push({ timeNs, txs: [], misdirected });
      const what = await this.restart(misdirected);
      if (what !== undefined) return what;
      this.blocks.pop();
    }
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
    const restart = misdirected === undefined ? {} : { misdirected };
    this.blocks.push({ timeNs, txs, ...restart });
    chain.time = timeNs as TimeNs;
    const bytes: Uint8Array[] = [];
    for (const [at, tx] of txs.entries()) bytes.push(this.#signed(tx, expected[at]));
    const { txResults, events } = await chain.block(...bytes);
    const secondOff = this.hasSecond
      ? this.second.block({ timeNs, txs, txResults, events })
      : undefined;
    for (const [at, result] of txResults.entries()) {
      const differs = differenceOfTx(expected[at] as readonly Done[] | Refusal, result);
      if (differs === undefined) continue;
      const names = txs[at]?.map(({ type }) => type).join(", ");
      return `tx ${at + 1} (${names}) of block ${chain.height}: ${differs}; log: ${result.log}`;
    }
    const differs = differenceOfEvents(blockEvents, events);
    return differs === undefined ? secondOff : `events of block ${chain.height} itself: ${differs}`;
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
    for (const [name, records] of genesisRecords(this.model)) {
      const theirs = name === "" ? [settlement as Facts] : [...(settlement?.[name] ?? [])];
      if (theirs.length !== records.length) {
        return `number of ${name}: ${sides(records.length, theirs.length)}`;
      }
      const found = sorted(theirs);
      for (const [at, record] of sorted(records).entries()) {
        const differs = differenceOfRecord(record, found[at] as Facts);
        if (differs !== undefined) return `${name} ${at + 1}: ${differs}`;
      }
    }
    return this.hasSecond ? this.second.state(appState) : undefined;
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
  /** Makes the model wrong, so that a test sees a disagreement. */
  readonly meddle?: (model: Model) => void;
  /** Compares the second model too (the default). */
  readonly hasSecond?: boolean;
  readonly meddleSecond?: (model: SecondSide["model"]) => void;
}

/**
 * Runs a plan on both sides, all records compared every `stateEvery` blocks and at the end.
 * @returns the first disagreement
 */
export async function runPlan(
  plan: Plan,
  options: RunOptions = {},
): Promise<Disagreement | undefined> {
  const { stateEvery = 8, tally, meddle, meddleSecond, hasSecond = true } = options;
  const both = await Comparison.open(paramsOf(plan.seed));
  meddle?.(both.model);
  both.hasSecond = hasSecond;
  meddleSecond?.(both.second.model);
  const { setting, blocks } = both;
  for (const [at, { step, txs, restart }] of plan.blocks.entries()) {
    const drawTx = (index: number) => {
      const seeds = txs[index];
      return seeds === undefined ? undefined : messagesOf(both.model, seeds);
    };
    const misdirected = restart === undefined ? restart : misdirectedBy(both.model, restart);
    let what = await both.block(timeAfter(both.model, step), drawTx, tally, misdirected);
    if (at % INVARIANTS_EVERY === 0) await both.chain.checkFullInvariants();
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
  tally?: Counts,
): Promise<string | undefined> {
  const both = await Comparison.open(setting);
  for (const { timeNs, txs, misdirected } of blocks) {
    const drawTx = (at: number) => txs[at];
    const ran = await both.block(timeNs, drawTx, tally, misdirected);
    const what = ran ?? (await both.state());
    if (what !== undefined) return what;
  }
  await both.chain.checkFullInvariants();
  return undefined;
}

function count(tally: Counts, outcome: readonly Done[] | Refusal): void {
  if (!(outcome instanceof Refusal)) tally.accepted += outcome.length;
  else tally.refused.set(outcome.code, (tally.refused.get(outcome.code) ?? 0) + 1);
}

function wired({ type, value }: ModelMessage) {
  const isOwn = type in own;
  const codec = (isOwn ? own : wire)[type as never] as typeof wire.MsgCreateEscrow;
  const signer = PARTIES.find(({ address }) => address === value.sender);
  if (signer === undefined) throw new Error(`nobody signs for ${value.sender}`);
  const bytes = codec.encode(value as wire.MsgCreateEscrow).finish();
  const home = isOwn ? "settled" : "virtengine";
  return { typeUrl: `/${home}.settlement.v1.${type}`, value: bytes, signer };
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
    const name = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
    const codec = CODECS[name as "MsgCreateEscrowResponse"];
    return codec.decode(value) as unknown as Facts;
  });
}

/** By number, else by what they are of. */
function sorted<T extends object>(records: readonly T[]): T[] {
  const key = (record: T): string => {
    const of = record as Facts;
    const first = of["seq"] ?? of["payoutSeq"] ?? of["payout_seq"] ?? of["invoiceSeq"];
    const numbers = [first ?? of["invoice_seq"] ?? "", of["number"] ?? ""];
    const texts = [of["address"], of["orderId"] ?? of["order_id"]];
    const all = [...numbers.map((each) => `${each}`.padStart(9, "0")), ...texts];
    return [...all, of["usageType"] ?? of["usage_type"]].join("|");
  };
  return [...records].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function firstOff(a: string, b: string): string {
  const at = [...a].findIndex((letter, index) => letter !== b[index]);
  return `${a.slice(Math.max(0, at - 80), at + 40)} became ${b.slice(at, at + 40)}`;
}

function ofMessage(events: readonly Event[], index: number): Event[] {
  return events.filter(({ attributes }) => {
    return attributes.some(({ key, value }) => key === "msg_index" && value === `${index}`);
  });
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
