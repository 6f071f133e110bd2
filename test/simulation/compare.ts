import { buildTx } from "../../src/client/tx_builder.ts";
import type { Coin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";
import * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { canonicalJson } from "../../src/codec/canonical_json.ts";
import { moduleAddress } from "../../src/types/address.ts";
import type { BlockOutput, GenesisDoc } from "../../src/types/application.ts";
import type { Event } from "../../src/types/event.ts";
import type { TimeNs } from "../../src/types/time.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { CHAIN_ID, genesisOf, openChain, type TestChain } from "../testkit/chain.ts";
import { openMemoryDb } from "../../src/store/leveldb.ts";
import { GENESIS_TIME } from "../testkit/times.ts";
import { plain, sides } from "./difference.ts";
import { differenceOfEvents, eventsOf, isBegin, isOf } from "./events.ts";
import { isSigned, type ModelMessage, PARTIES } from "./parties.ts";
import { type Exported, Records } from "./records.ts";
import { differenceOfAnswers } from "./answers.ts";
import { Held } from "./held.ts";
import { type Done, Model } from "./model/model.ts";
import type { Facts, ModelEvent } from "./model/records.ts";
import { paramsOf as modelParams } from "./model/params.ts";
import { Written } from "./written.ts";

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

/** Messages by what they came to on both sides. */
export interface Tally {
  accepted: number;
  /** By code. */
  readonly refused: Map<number, number>;
}

const MODULES = [
  ...["settlement_escrow", "settlement", "settlement_platform_fee", "settlement_validator_fee"],
  ...["rewards", "reward_pool", "fee_collector", "settlement_tax"],
];
const FEE = { amount: [], gasLimit: 4_000_000n };
/** Of each denom, for everybody: enough for the largest deposits. */
const FUNDS = 2n ** 251n;
/** Who cannot pay everything. */
const POOR: Readonly<Record<string, bigint>> = { stranger: 1000n, provider3: 1n };

/** What the model made of a part of a block, and what everybody has then. */
interface Expected<T> {
  readonly outcome: T;
  readonly coins: ReadonlyMap<string, Coin[]>;
}

/** What each message of a tx did, or the code that the tx is refused with. */
type Outcome = readonly Done[] | number;

/** A block as the model has it. */
interface ExpectedBlock {
  readonly begun: Expected<readonly ModelEvent[]>;
  readonly txs: readonly (readonly ModelMessage[])[];
  readonly delivered: readonly Expected<Outcome>[];
  readonly ended: Expected<readonly ModelEvent[]>;
}

/** The module in a real chain and the model beside it. */
export class Comparison {
  chain: TestChain;
  readonly model: Model;
  readonly setting: Setting;
  readonly blocks: ConcreteBlock[] = [];
  readonly #records: Records;
  readonly #held: Held;
  #written: Written;
  readonly #sequences = new Map<string, bigint>();
  readonly #numbers = new Map<string, bigint>();

  private constructor(
    { chain, written }: { chain: TestChain; written: Written },
    model: Model,
    setting: Setting,
  ) {
    this.chain = chain;
    this.model = model;
    this.setting = setting;
    this.#written = written;
    this.#records = new Records(model);
    this.#held = new Held(heldIn(model));
  }

  static async open(setting: Setting): Promise<Comparison> {
    const modules = Object.fromEntries(MODULES.map((name) => [name, moduleAddress(name, "ve")]));
    const authority = PARTIES.find(({ name }) => name === "authority")?.address ?? "";
    const pool = modules["reward_pool"] as string;
    const amounts = new Map(PARTIES.map(({ name, address }) => [address, POOR[name] ?? FUNDS]));
    amounts.set(pool, setting.pool);
    const coins = (amount: bigint) => (amount === 0n ? "" : `${amount}uusd,${amount}uve`);
    const funds = Object.fromEntries([...amounts].map(([each, amount]) => [each, coins(amount)]));
    const { params, extended } = setting;
    const opened = await openWatched(genesisOf({ params, extended, funds }));
    const model = new Model({
      ...{ modules, isSigned, timeNs: GENESIS_TIME },
      balances: new Map([...amounts].map(([each, amount]) => [each, bothOf(amount)])),
      params: modelParams(params, { authority, ...extended }),
    });
    const both = new Comparison(opened, model, setting);
    for (const { address } of PARTIES) {
      both.#numbers.set(address, (await both.chain.accountOf(address)).number);
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
    const { chain } = this;
    const genesis = await chain.app.exportGenesis();
    const text = canonicalJson(genesis.appState);
    const { escrows } = genesis.appState["settlement"] as { escrows: Facts[] };
    const found = escrows.find((each) => `${each["seq"]}` === `${misdirected}`);
    const escrow = this.model.tables.escrow[Number(misdirected) - 1];
    const recipient = this.model.at("fee_collector");
    for (const each of [found, escrow]) if (each) Object.assign(each, { recipient });
    const before = found === undefined ? text : canonicalJson(genesis.appState);
    const { chain: next, written } = await openWatched(genesis);
    const after = await next.exported();
    [this.chain, this.#written] = [next, written];
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
    tally?: Tally,
    misdirected?: bigint,
  ): Promise<string | undefined> {
    if (misdirected !== undefined) {
      this.blocks.push({ timeNs, txs: [], misdirected });
      const what = await this.restart(misdirected);
      if (what !== undefined) return what;
      this.blocks.pop();
    }
    const { model, chain } = this;
    const begun = this.#expected(model.begin(timeNs));
    const txs: (readonly ModelMessage[])[] = [];
    const delivered: Expected<Outcome>[] = [];
    for (let tx = drawTx(0); tx !== undefined; tx = drawTx(txs.length)) {
      txs.push(tx);
      const outcome = model.deliver(tx);
      delivered.push(this.#expected(outcome));
      if (tally !== undefined) count(tally, outcome);
    }
    const ended = this.#expected(model.end());
    const restart = misdirected === undefined ? {} : { misdirected };
    this.blocks.push({ timeNs, txs, ...restart });
    chain.time = timeNs as TimeNs;
    const output = await chain.block(...txs.map((tx) => this.#signed(tx)));
    return this.#differenceOfBlock({ begun, txs, delivered, ended }, output);
  }

  #expected<T>(outcome: T): Expected<T> {
    return { outcome, coins: heldIn(this.model) };
  }

  /** Codes, answers, events, and all balances after each tx and at both ends. */
  #differenceOfBlock(
    { begun, txs, delivered, ended }: ExpectedBlock,
    { txResults, events }: BlockOutput,
  ): string | undefined {
    const { height } = this.chain;
    const atBegin = this.#differenceOfWork(begun, events.filter(isBegin));
    if (atBegin !== undefined) return `begin of block ${height}: ${atBegin}`;
    for (const [at, { outcome, coins }] of delivered.entries()) {
      const [tx, result] = [txs[at] as readonly ModelMessage[], txResults[at] as TxResult];
      const differs =
        this.#differenceOfTx(tx, outcome, result) ??
        this.#differenceOfBalances(result.events, coins);
      if (differs === undefined) continue;
      const names = tx.map(({ type }) => type).join(", ");
      return `tx ${at + 1} (${names}) of block ${height}: ${differs}; log: ${result.log}`;
    }
    const rest = events.filter((event) => !isBegin(event));
    const atEnd = this.#differenceOfWork(ended, rest);
    return atEnd && `end of block ${height}: ${atEnd}`;
  }

  /** What a block does by itself, before its txs or after them. */
  #differenceOfWork(
    { outcome, coins }: Expected<readonly ModelEvent[]>,
    events: readonly Event[],
  ): string | undefined {
    return (
      differenceOfEvents(outcome, events, this.model.second) ??
      this.#differenceOfBalances(events, coins)
    );
  }

  /** All balances as the bank's events have them. */
  #differenceOfBalances(
    events: readonly Event[],
    expected: ReadonlyMap<string, Coin[]>,
  ): string | undefined {
    this.#held.apply(events);
    const found = [...this.#held.addresses()].map((each): [string, Coin[]] => {
      return [each, this.#held.of(each)];
    });
    return this.#differenceOfHeld(new Map(found), expected);
  }

  /** Of everybody whom either side knows. */
  #differenceOfHeld(
    found: ReadonlyMap<string, Coin[]>,
    expected: ReadonlyMap<string, Coin[]>,
  ): string | undefined {
    for (const address of new Set([...expected.keys(), ...found.keys()])) {
      const [coins, theirs] = [expected.get(address) ?? [], found.get(address) ?? []];
      if (areSame(coins, theirs)) continue;
      return `balance of ${this.#nameOf(address)}: ${sides(plain(coins), plain(theirs))}`;
    }
    return undefined;
  }

  #differenceOfTx(
    tx: readonly ModelMessage[],
    outcome: Outcome,
    { code, codespace, events, data }: TxResult,
  ): string | undefined {
    const ours = typeof outcome === "number" ? `settlement/${outcome}` : "success";
    const theirs = code === 0 ? "success" : `${codespace}/${code}`;
    if (ours !== theirs) return sides(ours, theirs);
    const { second } = this.model;
    if (typeof outcome === "number") return differenceOfEvents([], events, second);
    for (const [index, { events: done }] of outcome.entries()) {
      const differs = differenceOfEvents(done, eventsOf(events, index), second);
      if (differs !== undefined) return `message ${index + 1}: ${differs}`;
    }
    const none = events.filter((event) => !outcome.some((_, index) => isOf(event, index)));
    return (
      differenceOfEvents([], none, second) ?? differenceOfAnswers(tx, outcome, { data, second })
    );
  }

  /** A tx with the next number of its signer, which a message that is wrong alone does not cost. */
  #signed(tx: readonly ModelMessage[]): Uint8Array {
    const messages = tx.map(wired);
    const { signer } = messages[0] as (typeof messages)[0];
    const { address } = signer;
    const sequence = this.#sequences.get(address) ?? 0n;
    const isFree = this.model.refusedAlone(tx) !== undefined;
    if (!isFree) this.#sequences.set(address, sequence + 1n);
    const accountNumber = this.#numbers.get(address) as bigint;
    const rest = { memo: "", timeoutHeight: 0n, mode: "direct" as const, fee: FEE };
    return buildTx({ messages, signer, chainId: CHAIN_ID, accountNumber, sequence, ...rest });
  }

  /** Compares all balances and records. @returns what they disagree about */
  async state(): Promise<string | undefined> {
    const { bank, settlement } = (await this.chain.app.exportGenesis()).appState;
    const { balances } = bank as { balances: readonly { address: string; coins: Coin[] }[] };
    const found = new Map(balances.map(({ address, coins }) => [address, coins]));
    const differs = this.#differenceOfHeld(found, heldIn(this.model));
    return differs ?? this.#records.all(settlement as Exported);
  }

  /** Compares the records that the last block changed, on either side; all when some seem to differ. */
  async changes(): Promise<string | undefined> {
    return this.#records.areChangesAlike(await this.#written.settlement())
      ? undefined
      : this.state();
  }

  #nameOf(address: string): string {
    const party = PARTIES.find((each) => each.address === address)?.name;
    const module = MODULES.find((name) => this.model.origin.modules[name] === address);
    return party ?? module ?? address;
  }
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

function firstOff(a: string, b: string): string {
  const at = [...a].findIndex((letter, index) => letter !== b[index]);
  return `${a.slice(Math.max(0, at - 80), at + 40)} became ${b.slice(at, at + 40)}`;
}

async function openWatched(genesis: GenesisDoc) {
  const [db, written] = [await openMemoryDb(), new Written()];
  written.watch(db);
  return { chain: await openChain({ genesis, db }), written };
}

function bothOf(amount: bigint): Coin[] {
  const denoms = amount === 0n ? [] : ["uusd", "uve"];
  return denoms.map((denom) => ({ denom, amount: `${amount}` }));
}

function heldIn({ accounts }: Model): Map<string, Coin[]> {
  return new Map([...accounts].map(([address, { coins }]) => [address, coins]));
}

function areSame(a: Coin[], b: Coin[]): boolean {
  const isEach = a.every(({ denom, amount }, at) => {
    return denom === b[at]?.denom && amount === b[at]?.amount;
  });
  return isEach && a.length === b.length;
}

function count(tally: Tally, outcome: Outcome): void {
  if (typeof outcome !== "number") tally.accepted += outcome.length;
  else tally.refused.set(outcome, (tally.refused.get(outcome) ?? 0) + 1);
}
