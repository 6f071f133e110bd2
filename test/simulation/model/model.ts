import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import { Disputes } from "./disputes.ts";
import { checkAlone } from "./fields.ts";
import { changesOf, checkParams, versionOf } from "./params.ts";
import { type Facts, isSame, type Message, type ModelEvent, type Params } from "./records.ts";
import { refuse } from "./records.ts";

// Params, txs and the work of blocks.

type Times = "expiresAtNs" | "autoSettleAtNs";

const by =
  <K extends Times>(key: K) =>
  (a: Record<K, bigint>, b: Record<K, bigint>): number =>
    a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0;

/** What a message did, and what its answer says that no event does. */
export interface Done {
  readonly events: readonly ModelEvent[];
  readonly answer: Facts;
}

export class Model extends Disputes {
  MsgUpdateParams({ authority, params, extendedParams }: own.MsgUpdateParams): void {
    this.onlyAuthority(authority);
    const before = this.pending ?? this.params;
    const given = Object.entries({ ...params, ...extendedParams });
    const news = given.filter(([key]) => Object.hasOwn(before, key));
    const next = { ...before, ...Object.fromEntries(news) } as Params;
    refuse([1525, next.fiatConversionEnabled || isSame(next, before)]);
    checkParams(next, (address) => this.canBePaid(address));
    this.change(this as { pending: Params | undefined }, { pending: next });
    const from = { effectiveHeight: this.height + 1n, paramsVersion: this.version + 1n };
    this.emit("ParamsProposed", undefined, { authority, ...from, ...changesOf(this.params, next) });
  }

  /** @returns the code of a message that is wrong by itself: its tx costs its sender no number */
  refusedAlone(messages: readonly Message[]): number | undefined {
    return this.attempt(() => {
      for (const { type, value } of messages) checkAlone(type, value);
    });
  }

  /** @returns what each message did, or the code that the tx is refused with */
  deliver(messages: readonly Message[]): readonly Done[] | number {
    const done: Done[] = [];
    const all = () => {
      for (const { type, value } of messages) {
        [this.events, this.sender] = [[], `${value["sender"]}`];
        const handlers = this as unknown as Record<string, (value: object) => Facts | undefined>;
        const answer = handlers[type]?.(value) ?? {};
        done.push({ answer, events: this.events });
      }
    };
    const code = this.refusedAlone(messages) ?? this.attempt(all);
    this.undos = [];
    return code ?? done;
  }

  begin(timeNs: bigint): ModelEvent[] {
    [this.now, this.height, this.events, this.sender] = [timeNs, this.height + 1n, [], ""];
    if (this.pending !== undefined) this.changeParams(this.pending);
    const expired = this.tables.escrow.filter((escrow) => this.isOver(escrow));
    for (const escrow of expired.sort(by("expiresAtNs"))) this.attempt(() => this.expire(escrow));
    return this.events;
  }

  /** Epochs of another length count from the start of the one that runs. */
  changeParams(params: Params): void {
    const { epoch: base, height } = this.epochBase;
    const { stakingRewardEpochLength: length } = this.params;
    const passed = (this.height - 1n - height) / length;
    const isOther = params.stakingRewardEpochLength !== length;
    if (isOther) this.epochBase = { epoch: base + passed, height: height + passed * length };
    const changes = changesOf(this.params, params);
    [this.params, this.pending, this.version] = [params, undefined, this.version + 1n];
    this.versions.push(versionOf(this.version, params));
    this.emit("ParamsUpdated", undefined, { paramsVersion: this.version, ...changes });
  }

  end(): ModelEvent[] {
    [this.events, this.sender] = [[], ""];
    const { dispute, escrow, invoice, entry, payout } = this.tables;
    for (const each of [...dispute].sort(by("expiresAtNs"))) this.expireDispute(each);
    for (const each of [...escrow].sort(by("autoSettleAtNs"))) this.autoSettle(each);
    for (const each of invoice) this.markOverdue(each);
    this.rewardStaking();
    for (const each of entry) this.expireEntry(each);
    for (const each of payout) this.payWhenDue(each);
    this.undos = [];
    return this.events;
  }
}
