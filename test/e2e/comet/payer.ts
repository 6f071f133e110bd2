import type { DevAccount } from "../../../src/cli/dev_accounts.ts";
import { Client } from "../../../src/client/client.ts";
import { type Signer, signerFromMnemonic } from "../../../src/client/signer.ts";
import { buildTx } from "../../../src/client/tx_builder.ts";
import { encodePartial } from "../../../src/client/wire.ts";
import { MsgSend } from "../../../src/gen/cosmos/bank/v1beta1/tx.ts";
import { must } from "../../../src/lib/assert.ts";
import type { NodeProcess } from "../node_process.ts";

/** An account that signs one transfer after another without asking for its sequence again. */
export class Payer {
  readonly signer: Signer;
  /** Where transfers go unless told otherwise. */
  readonly to: string;
  readonly #chainId: string;
  readonly #number: bigint;
  #sequence: bigint;

  private constructor(input: {
    readonly signer: Signer;
    readonly to: string;
    readonly chainId: string;
    readonly accountNumber: bigint;
    readonly sequence: bigint;
  }) {
    this.signer = input.signer;
    this.to = input.to;
    this.#chainId = input.chainId;
    this.#number = input.accountNumber;
    this.#sequence = input.sequence;
  }

  /** Of a dev account's name. */
  static async of({ report, rpc }: Pick<NodeProcess, "report" | "rpc">, name: string) {
    const named = (each: DevAccount) => each.name === name;
    const account = must(report.accounts.find(named), `dev account ${name}`);
    const other = must(
      report.accounts.find((each) => !named(each)),
      "another dev account",
    );
    const signer = await signerFromMnemonic(account.mnemonic);
    const client = await Client.connect(rpc);
    const state = must(await client.account(signer.address), "a dev account exists");
    return new Payer({ signer, to: other.address, chainId: report.chainId, ...state });
  }

  /** A signed tx of transfers of 1 `denom` each. */
  transfer(
    change: { to?: string; denom?: string; amount?: string; count?: number; memo?: string } = {},
  ): Uint8Array {
    const { to = this.to, denom = "uve", amount = "1", count = 1, memo = "" } = change;
    const value = { fromAddress: this.signer.address, toAddress: to, amount: [{ denom, amount }] };
    const one = { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value: encodePartial(MsgSend, value) };
    const gasLimit = 200_000n + 100_000n * BigInt(count);
    const fee = { amount: [{ denom: "uve", amount: `${gasLimit / 40n}` }], gasLimit };
    const tx = buildTx({
      ...{ signer: this.signer, chainId: this.#chainId, fee, memo },
      ...{ accountNumber: this.#number, sequence: this.#sequence },
      messages: Array.from({ length: count }, () => one),
    });
    this.#sequence += 1n;
    return tx;
  }
}
