import type { BroadcastResult, Client, TxInfo } from "../../../src/client/client.ts";
import { signerFromPrivateKey } from "../../../src/client/signer.ts";
import type { EncodedMessage } from "../../../src/client/wire.ts";
import { AuthInfo, TxBody, TxRaw } from "../../../src/gen/cosmos/tx/v1beta1/tx.ts";

export const signer = signerFromPrivateKey(new Uint8Array(32).fill(7), "ve");

/** What a message runs into: undefined lets it through. */
export type Rule = (message: EncodedMessage) => { code: number; log: string } | undefined;

interface Sent {
  readonly hash: string;
  readonly messages: readonly EncodedMessage[];
  readonly gasLimit: bigint;
}

/** A chain of one account that knows sequences, batches and refusals, and nothing else. */
export class FakeChain {
  readonly chainId = "settled-test";
  readonly included: Sent[] = [];
  sequence = 5n;
  mempoolFullTimes = 0;
  /** Least gas limit of a message. */
  gasPerMessage = 0n;
  rule: Rule = () => undefined;
  readonly #results = new Map<string, TxInfo>();
  #count = 0;

  get client(): Client {
    return this as unknown as Client;
  }

  account(): Promise<{ accountNumber: bigint; sequence: bigint }> {
    return Promise.resolve({ accountNumber: 3n, sequence: this.sequence });
  }

  broadcastSync(tx: Uint8Array): Promise<BroadcastResult> {
    const raw = TxRaw.decode(tx);
    const { messages } = TxBody.decode(raw.bodyBytes);
    const { signerInfos, fee } = AuthInfo.decode(raw.authInfoBytes);
    const [sequence, gasLimit] = [signerInfos[0]?.sequence, fee?.gasLimit ?? 0n];
    const refuse = (code: number, log: string) => {
      return Promise.resolve({ hash: "", code, codespace: "sdk", log });
    };
    if (this.mempoolFullTimes > 0) {
      this.mempoolFullTimes -= 1;
      return refuse(20, "mempool is full");
    }
    if (sequence !== this.sequence) {
      const detail = `account sequence mismatch, expected ${this.sequence}, got ${sequence}`;
      return refuse(32, `${detail}: incorrect account sequence`);
    }
    this.sequence += 1n;
    const hash = `TX${(this.#count += 1)}`;
    this.#execute({ hash, messages, gasLimit });
    return Promise.resolve({ hash, code: 0, codespace: "", log: "" });
  }

  #execute(sent: Sent): void {
    this.included.push(sent);
    const failed = sent.messages.findIndex((message) => this.rule(message) !== undefined);
    const refusal = failed === -1 ? undefined : this.rule(sent.messages[failed] as EncodedMessage);
    const outOfGas = sent.gasLimit < this.gasPerMessage * BigInt(sent.messages.length);
    const base = { hash: sent.hash, height: 1n, index: 0, gasWanted: 0n, gasUsed: 0n };
    const empty = { ...base, events: [], responses: [], tx: new Uint8Array(0) };
    if (outOfGas) {
      this.#results.set(sent.hash, { ...empty, code: 11, codespace: "sdk", log: "out of gas" });
    } else if (refusal !== undefined) {
      const log = `failed to execute message; message index: ${failed}: ${refusal.log}`;
      this.#results.set(sent.hash, { ...empty, code: refusal.code, codespace: "settlement", log });
    } else {
      const events = sent.messages.map((_, at) => ({
        type: "message",
        attributes: [{ key: "msg_index", value: String(at) }],
      }));
      const result = {
        ...empty,
        code: 0,
        codespace: "",
        log: "",
        events,
        responses: sent.messages,
      };
      this.#results.set(sent.hash, result);
    }
  }

  waitForTx(hash: string): Promise<TxInfo> {
    return Promise.resolve(this.#results.get(hash) as TxInfo);
  }
}
