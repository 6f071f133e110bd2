import { MsgMultiSend, MsgSend } from "../../src/gen/cosmos/bank/v1beta1/tx.ts";
import * as tx from "../../src/gen/virtengine/settlement/v1/tx.ts";
import type { TestAccount } from "./accounts.ts";
import { price, wire } from "./coins.ts";
import { slot } from "./times.ts";

/** A message, and the account that signs it. */
export interface TestMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
  readonly signer: TestAccount;
}

export const SIGNATURE = Uint8Array.of(1, 2, 3);

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
}

function settlement<T>(name: string, codec: Codec<T>, signer: TestAccount, value: T): TestMessage {
  const typeUrl = `/virtengine.settlement.v1.${name}`;
  return { typeUrl, value: codec.encode(value).finish(), signer };
}

/** What a usage report says; everything has a default. */
export interface Report {
  readonly order?: string;
  readonly lease?: string;
  readonly type?: string;
  readonly units?: bigint;
  /** "1.5uve" */
  readonly price?: string;
  /** Unix seconds. */
  readonly start?: bigint;
  readonly end?: bigint;
  readonly signature?: Uint8Array;
}

export const ORDER = "order-1";
export const LEASE = "lease-1";

/** Messages by their signer, with short arguments. */
export const msg = {
  create: (
    signer: TestAccount,
    amount: string,
    o: { order?: string; expiresIn?: bigint } = {},
  ): TestMessage =>
    settlement("MsgCreateEscrow", tx.MsgCreateEscrow, signer, {
      sender: signer.address,
      orderId: o.order ?? ORDER,
      amount: wire(amount),
      expiresIn: o.expiresIn ?? 7n * 86_400n,
    }),
  activate: (
    signer: TestAccount,
    escrowId: string,
    recipient: string,
    lease: string = LEASE,
  ): TestMessage =>
    settlement("MsgActivateEscrow", tx.MsgActivateEscrow, signer, {
      ...{ sender: signer.address, escrowId, leaseId: lease, recipient },
    }),
  release: (
    signer: TestAccount,
    escrowId: string,
    amount = "",
    reason = "work done",
  ): TestMessage =>
    settlement("MsgReleaseEscrow", tx.MsgReleaseEscrow, signer, {
      ...{ sender: signer.address, escrowId, amount: wire(amount), reason },
    }),
  refund: (signer: TestAccount, escrowId: string, reason = "no longer needed"): TestMessage =>
    settlement("MsgRefundEscrow", tx.MsgRefundEscrow, signer, {
      ...{ sender: signer.address, escrowId, reason },
    }),
  dispute: (
    signer: TestAccount,
    escrowId: string,
    reason = "wrong usage",
    evidence = "",
  ): TestMessage =>
    settlement("MsgDisputeEscrow", tx.MsgDisputeEscrow, signer, {
      ...{ sender: signer.address, escrowId, reason, evidence },
    }),
  record: (signer: TestAccount, report: Report = {}): TestMessage =>
    settlement("MsgRecordUsage", tx.MsgRecordUsage, signer, {
      sender: signer.address,
      orderId: report.order ?? ORDER,
      leaseId: report.lease ?? LEASE,
      usageUnits: report.units ?? 1n,
      usageType: report.type ?? "cpu",
      periodStart: report.start ?? slot(0).start,
      periodEnd: report.end ?? slot(0).end,
      unitPrice: price(report.price ?? "1uve"),
      signature: report.signature ?? SIGNATURE,
    }),
  acknowledge: (
    signer: TestAccount,
    usageId: string,
    signature: Uint8Array = SIGNATURE,
  ): TestMessage =>
    settlement("MsgAcknowledgeUsage", tx.MsgAcknowledgeUsage, signer, {
      ...{ sender: signer.address, usageId, signature },
    }),
  settle: (
    signer: TestAccount,
    o: { order?: string; ids?: readonly string[]; final?: boolean } = {},
  ): TestMessage =>
    settlement("MsgSettleOrder", tx.MsgSettleOrder, signer, {
      sender: signer.address,
      orderId: o.order ?? ORDER,
      usageRecordIds: [...(o.ids ?? [])],
      isFinal: o.final ?? false,
    }),
  claim: (signer: TestAccount, source = ""): TestMessage =>
    settlement("MsgClaimRewards", tx.MsgClaimRewards, signer, { sender: signer.address, source }),
  send: (signer: TestAccount, toAddress: string, amount: string): TestMessage => {
    const value = { fromAddress: signer.address, toAddress, amount: wire(amount) };
    const typeUrl = "/cosmos.bank.v1beta1.MsgSend";
    return { typeUrl, value: MsgSend.encode(value).finish(), signer };
  },
  multiSend: (
    signer: TestAccount,
    outputs: readonly (readonly [address: string, amount: string])[],
    input: string,
  ): TestMessage => {
    const value = MsgMultiSend.encode({
      inputs: [{ address: signer.address, coins: wire(input) }],
      outputs: outputs.map(([address, amount]) => ({ address, coins: wire(amount) })),
    });
    return { typeUrl: "/cosmos.bank.v1beta1.MsgMultiSend", value: value.finish(), signer };
  },
};
