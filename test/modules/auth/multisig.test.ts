import type { EncodeObject } from "@cosmjs/proto-signing";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  MULTISIG_TYPE,
  multisigAddress,
  readMultisigKey,
} from "../../../src/codec/multisig_key.ts";
import { packAny } from "../../../src/codec/any.ts";
import type { QueryAccountInfoResponse } from "../../../src/gen/cosmos/auth/v1beta1/query.ts";
import { LegacyAminoPubKey } from "../../../src/gen/cosmos/crypto/multisig/keys.ts";
import { MultiSignature } from "../../../src/gen/cosmos/crypto/multisig/v1beta1/multisig.ts";
import { AuthInfo, type SignerInfo, TxRaw } from "../../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { MsgCreateEscrow } from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { must } from "../../../src/lib/assert.ts";
import type { TxResult } from "../../../src/types/tx.ts";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { CHAIN_ID, genesisOf, openChain, type TestChain } from "../../testkit/chain.ts";
import { wire } from "../../testkit/coins.ts";
import { msg } from "../../testkit/messages.ts";
import {
  type MultisigParty,
  multisignedTx,
  multisigParty,
  signatures,
} from "../../testkit/multisig.ts";
import { expectCode, expectOk } from "../../testkit/outcome.ts";

const FEE = 10_000n;
const FUNDS = 1_000_000n;

let party: MultisigParty;
let chain: TestChain;

beforeAll(async () => {
  party = await multisigParty(2, ["ann", "ben", "cid"]);
});
beforeEach(async () => {
  chain = await openChain({ funds: { [party.address]: `${FUNDS}uve` } });
});

function send(from = party.address): EncodeObject {
  const value = { fromAddress: from, toAddress: stranger.address, amount: wire("7uve") };
  return { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
}

async function facts(of = party) {
  const { number, sequence } = await chain.accountOf(of.address);
  return { accountNumber: number, sequence: Number(sequence), chainId: CHAIN_ID };
}

/** A tx that the members at these places sign, as CosmJS puts it together. */
async function signedBy(places: readonly number[], message = send(), of = party) {
  const members = places.map((place) => must(of.members[place], "a member"));
  const doc = await facts(of);
  return multisignedTx(of, await signatures(members, [message], doc), doc.sequence);
}

/** A tx of ann and ben, with its signer and their signatures changed. */
async function changed(change: {
  readonly info?: (info: SignerInfo) => void;
  readonly signatures?: (list: Uint8Array[]) => Uint8Array[];
  readonly raw?: (signature: Uint8Array) => Uint8Array;
  readonly places?: readonly number[];
}): Promise<Uint8Array> {
  const raw = TxRaw.decode(await signedBy(change.places ?? [0, 1]));
  const auth = AuthInfo.decode(raw.authInfoBytes);
  change.info?.(must(auth.signerInfos[0], "a signer"));
  const list = MultiSignature.decode(must(raw.signatures[0], "a signature")).signatures;
  const signature = MultiSignature.encode({
    signatures: change.signatures?.(list) ?? list,
  }).finish();
  raw.authInfoBytes = AuthInfo.encode(auth).finish();
  raw.signatures = [change.raw?.(signature) ?? signature];
  return TxRaw.encode(raw).finish();
}

async function deliver(tx: Uint8Array): Promise<TxResult> {
  const { txResults } = await chain.block(tx);
  return must(txResults[0], "a result");
}

/** By the mempool and by the block alike, and nothing changes. */
async function refused(tx: Uint8Array, code: string, ...parts: (string | RegExp)[]) {
  const before = await chain.exported();
  expectCode(chain.app.checkTx(tx), code, ...parts);
  expectCode(await deliver(tx), code, ...parts);
  expect(await chain.exported()).toBe(before);
}

function multiOf(info: SignerInfo) {
  return must(info.modeInfo?.multi, "the signer is a multisig");
}

function bitsOf(info: SignerInfo) {
  return must(multiOf(info).bitarray, "a multisig has bits");
}

describe("two of three", () => {
  test.each([[[0, 1]], [[0, 2]], [[1, 2]], [[0, 1, 2]]])(
    "members %j send coins with CosmJS",
    async (places) => {
      const tx = await signedBy(places);
      expectOk(chain.app.checkTx(tx));
      expectOk(await deliver(tx));
      expect(await chain.balance(party.address)).toBe(FUNDS - FEE - 7n);
      expect((await facts()).sequence).toBe(1);
    },
  );

  test("create an escrow with CosmJS", async () => {
    const value = MsgCreateEscrow.fromPartial({
      sender: party.address,
      orderId: "order-m",
      amount: wire("500uve"),
      expiresIn: 86_400n,
    });
    const typeUrl = "/virtengine.settlement.v1.MsgCreateEscrow";
    expectOk(await deliver(await signedBy([0, 2], { typeUrl, value })));
    expect(await chain.balance(party.address)).toBe(FUNDS - FEE - 500n);
  });

  test("the account shows its key, and later txs may leave it out", async () => {
    expectOk(await deliver(await signedBy([0, 1])));
    const path = "cosmos.auth.v1beta1.Query/AccountInfo";
    const { info } = await chain.query<QueryAccountInfoResponse>(path, { address: party.address });
    expect(info?.pubKey?.typeUrl).toBe(MULTISIG_TYPE);
    const key = readMultisigKey(must(info?.pubKey, "a key").value);
    expect(key.threshold).toBe(2);
    expect(multisigAddress(key, "ve")).toBe(party.address);
    const bare = await changed({
      info: (signer) => {
        signer.publicKey = undefined;
      },
    });
    expectOk(await deliver(bare));
  });

  test("a tx in a block costs the gas of every signature in it", async () => {
    const two = await signedBy([0, 1]);
    const three = await signedBy([0, 1, 2]);
    const [of2, of3] = [chain.app.checkTx(two), chain.app.checkTx(three)];
    expectOk(of2);
    // The check of the second has a sequence that the first has used.
    expectCode(of3, "sdk/32", "expected 1, got 0");
    const used2 = expectOk(await deliver(two)).gasUsed;
    const again = await signedBy([0, 1, 2]);
    const used3 = expectOk(await deliver(again)).gasUsed;
    expect(used3 - used2).toBe(1000n + 10n * BigInt(again.length - two.length));
  });

  test("what has signed survives export and import", async () => {
    expectOk(await deliver(await signedBy([0, 1])));
    const copy = await chain.imported();
    expect(await copy.exported()).toBe(await chain.exported());
  });
});

describe("simulation", () => {
  test("tells the gas of a tx whose key is a multisig, signed or not", async () => {
    const tx = await signedBy([0, 1]);
    const unsigned = await changed({
      info: (signer) => {
        signer.modeInfo = { single: { mode: 0 } };
      },
      raw: () => new Uint8Array(0),
    });
    const used = expectOk(chain.app.simulate(tx, chain.time)).gasUsed;
    const open = expectOk(chain.app.simulate(unsigned, chain.time)).gasUsed;
    expect(open).toBe(used - 10n * BigInt(tx.length - unsigned.length));
    expect(expectOk(await deliver(tx)).gasUsed).toBe(used);
  });
});

describe("refused", () => {
  test("one of three", async () => {
    await refused(await signedBy([1]), "sdk/4", "signature size is incorrect 1");
  });

  test.each<[string, number, number]>([
    ["of another pair", 0b1010_0000, 3],
    ["for more members than signed", 0b1110_0000, 3],
    ["for fewer members than signed", 0b1000_0000, 3],
    ["for nobody", 0, 3],
    ["of too few members", 0b1100_0000, 2],
    ["of too many members", 0b1100_0000, 4],
    ["of a whole byte", 0b1100_0000, 0],
    ["beyond the members", 0b1101_0000, 3],
    ["with a count beyond a byte", 0b1100_0000, 11],
  ])("bits %s", async (_, bits, extra) => {
    const tx = await changed({
      info: (info) => {
        bitsOf(info).elems = Uint8Array.of(bits);
        bitsOf(info).extraBitsStored = extra;
      },
    });
    await refused(tx, "sdk/4", "signature verification failed");
  });

  test("no bits at all", async () => {
    const tx = await changed({
      info: (info) => {
        multiOf(info).bitarray = undefined;
      },
    });
    await refused(tx, "sdk/4", "bit array size is incorrect, expecting: 3");
  });

  test("signatures in another order", async () => {
    const tx = await changed({ signatures: (list) => [...list].reverse() });
    await refused(tx, "sdk/4", "unable to verify signature at index 0");
  });

  test("one signature twice", async () => {
    const tx = await changed({ signatures: ([first]) => [first as never, first as never] });
    await refused(tx, "sdk/4", "unable to verify signature at index 1");
  });

  test("a bad signature beside enough good ones", async () => {
    const tx = await changed({
      places: [0, 1, 2],
      signatures: ([a, b]) => [a as never, b as never, b as never],
    });
    await refused(tx, "sdk/4", "unable to verify signature at index 2");
  });

  test("a signature with high s", async () => {
    const { n } = secp256k1.Point.CURVE();
    const tx = await changed({
      signatures: ([first, second]) => {
        const { r, s } = secp256k1.Signature.fromBytes(must(first, "one"));
        return [new secp256k1.Signature(r, n - s).toBytes(), must(second, "two")];
      },
    });
    await refused(tx, "sdk/4", "unable to verify signature at index 0");
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["empty", () => new Uint8Array(0)],
    ["cut", (bytes) => bytes.subarray(0, bytes.length - 1)],
    ["with a field that nobody knows", (bytes) => Uint8Array.from([...bytes, 0x10, 1])],
    ["that is no protobuf", () => new Uint8Array(64).fill(0xff)],
  ])("a signature %s", async (_, raw) => {
    await refused(await changed({ raw }), "sdk/4", "signature verification failed");
  });

  test("a multisig that signs as a single key, and a single key as a multisig", async () => {
    const single = await changed({
      info: (info) => {
        info.modeInfo = { single: { mode: 127 } };
      },
    });
    await refused(single, "sdk/4", "expected a multisignature");
    const raw = TxRaw.decode(await chain.tx([msg.send(customer, provider.address, "1uve")]));
    const auth = AuthInfo.decode(raw.authInfoBytes);
    const bitarray = { extraBitsStored: 1, elems: Uint8Array.of(0x80) };
    const modeInfo = { multi: { bitarray, modeInfos: [{ single: { mode: 127 as const } }] } };
    must(auth.signerInfos[0], "a signer").modeInfo = modeInfo;
    raw.authInfoBytes = AuthInfo.encode(auth).finish();
    await refused(TxRaw.encode(raw).finish(), "sdk/37");
  });

  test("members who sign in DIRECT mode, and more or fewer modes than signatures", async () => {
    const direct = await changed({
      info: (info) => {
        multiOf(info).modeInfos = [{ single: { mode: 127 } }, { single: { mode: 1 } }];
      },
    });
    await refused(direct, "sdk/37", "sign mode 1");
    for (const count of [0, 1, 3]) {
      const modeInfos = Array.from({ length: count }, () => ({ single: { mode: 127 as const } }));
      const tx = await changed({
        info: (info) => {
          multiOf(info).modeInfos = modeInfos;
        },
      });
      await refused(tx, "sdk/4", `${count} modes`);
    }
  });

  test("a key of another threshold or order: it is of another address", async () => {
    for (const change of [
      (key: LegacyAminoPubKey) => ({ ...key, threshold: 1 }),
      (key: LegacyAminoPubKey) => ({ ...key, publicKeys: [...key.publicKeys].reverse() }),
    ]) {
      const tx = await changed({
        info: (info) => {
          const any = must(info.publicKey, "a key");
          any.value = LegacyAminoPubKey.encode(
            change(LegacyAminoPubKey.decode(any.value)),
          ).finish();
        },
      });
      await refused(tx, "sdk/8", "pubKey does not match signer address");
    }
  });

  test("a wrong sequence names the expected one", async () => {
    const tx = await signedBy([0, 1]);
    expectOk(await deliver(tx));
    await refused(tx, "sdk/32", "account sequence mismatch, expected 1, got 0");
  });
});

describe("eight of eight", () => {
  const EVERYBODY = [0, 1, 2, 3, 4, 5, 6, 7];
  let eight: MultisigParty;

  async function openWith(auth: object): Promise<void> {
    eight = await multisigParty(
      8,
      EVERYBODY.map((place) => `member-${place}`),
    );
    const genesis = genesisOf({ funds: { [eight.address]: `${FUNDS}uve` } });
    const appState = genesis.appState as { readonly auth: object };
    const withParams = { ...appState, auth: { ...appState.auth, ...auth } };
    chain = await openChain({ genesis: { ...genesis, appState: withParams } });
  }

  test("are more than the param allows, and the refusal names it and its value", async () => {
    await openWith({});
    const tx = await signedBy(EVERYBODY, send(eight.address), eight);
    const text = "signatures: 8, limit: 7 (tx_sig_limit of auth; each member of a multisig counts";
    await refused(tx, "sdk/14", text);
  });

  test("sign where genesis sets tx_sig_limit to 8", async () => {
    await openWith({ params: { tx_sig_limit: "8" } });
    const tx = await signedBy(EVERYBODY, send(eight.address), eight);
    expectOk(chain.app.checkTx(tx));
    expectOk(await deliver(tx));
    expect(await chain.balance(eight.address)).toBe(FUNDS - FEE - 7n);
    const copy = await chain.imported();
    expect(await copy.exported()).toBe(await chain.exported());
  });
});

describe("a key is no multisig", () => {
  const single = (seed: number) => {
    const key = secp256k1.getPublicKey(new Uint8Array(32).fill(seed));
    return packAny("cosmos.crypto.secp256k1.PubKey", { key });
  };
  const encoded = (threshold: number, publicKeys: LegacyAminoPubKey["publicKeys"]) =>
    LegacyAminoPubKey.encode({ threshold, publicKeys }).finish();
  const pair = [single(1), single(2)];
  const nested = { typeUrl: MULTISIG_TYPE, value: encoded(1, pair) };
  const short = packAny("cosmos.crypto.secp256k1.PubKey", { key: new Uint8Array(32) });

  test.each<[string, Uint8Array, string]>([
    ["threshold 0", encoded(0, pair), "threshold of 2 members"],
    ["a threshold above its members", encoded(3, pair), "threshold of 2 members"],
    ["no members", encoded(0, []), "1 to 20 members, got 0"],
    ["21 members", encoded(1, Array<never>(21).fill(pair[0] as never)), "got 21"],
    ["a multisig inside", encoded(1, [nested, ...pair]), "member 0: expected"],
    ["a short key", encoded(1, [short]), "member 0: a compressed key has 33 bytes"],
    ["noise behind", Uint8Array.from([...encoded(1, pair), 0x18, 1]), "plain encoding"],
    ["noise", new Uint8Array(9).fill(0xff), "does not decode"],
  ])("with %s", (_, bytes, text) => {
    expect(() => readMultisigKey(bytes)).toThrow(text);
  });

  test("but may have 20 members", () => {
    const members = Array.from({ length: 20 }, (_, index) => single(index + 1));
    expect(readMultisigKey(encoded(20, members)).members).toHaveLength(20);
  });
});
