import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { MESSAGES } from "../../../src/gen/schema.ts";
import { messageOf } from "./arbitraries.ts";

interface ForeignCodec {
  decode(bytes: Uint8Array): object;
  fromPartial(partial: object): object;
}

const require = createRequire(import.meta.url);

/** Modules of cosmjs-types, which comes with @cosmjs/stargate and is generated upstream. */
const MODULES = [
  "cosmos/auth/v1beta1/auth",
  "cosmos/auth/v1beta1/query",
  "cosmos/bank/v1beta1/bank",
  "cosmos/bank/v1beta1/query",
  "cosmos/bank/v1beta1/tx",
  "cosmos/base/abci/v1beta1/abci",
  "cosmos/base/node/v1beta1/query",
  "cosmos/base/query/v1beta1/pagination",
  "cosmos/base/tendermint/v1beta1/query",
  "cosmos/base/tendermint/v1beta1/types",
  "cosmos/base/v1beta1/coin",
  "cosmos/crypto/ed25519/keys",
  "cosmos/crypto/multisig/keys",
  "cosmos/crypto/multisig/v1beta1/multisig",
  "cosmos/crypto/secp256k1/keys",
  "cosmos/tx/v1beta1/service",
  "cosmos/tx/v1beta1/tx",
  "tendermint/abci/types",
  "tendermint/crypto/keys",
  "tendermint/crypto/proof",
  "tendermint/p2p/types",
  "tendermint/types/block",
  "tendermint/types/evidence",
  "tendermint/types/params",
  "tendermint/types/types",
  "tendermint/types/validator",
  "tendermint/version/types",
];

/** Fields that newer SDKs have and this chain refuses as unknown. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "cosmos.tx.v1beta1.TxBody": ["timeoutTimestamp", "unordered"],
  "cosmos.tx.v1beta1.AuthInfo": ["tip"],
};

function foreignCodecs(): [string, ForeignCodec][] | undefined {
  try {
    return MODULES.flatMap((path) => {
      const module = require(`cosmjs-types/${path}`) as Record<string, ForeignCodec>;
      const name = `${path.slice(0, path.lastIndexOf("/")).replaceAll("/", ".")}.`;
      return MESSAGES.filter((message) => message.name.startsWith(name)).flatMap((message) => {
        const local = message.name.slice(name.length).replaceAll(".", "_");
        const codec = module[local];
        return codec === undefined ? [] : [[message.name, codec] as [string, ForeignCodec]];
      });
    });
  } catch {
    return undefined;
  }
}

/** Drops what both codecs may show or leave out: absent members and defaults. */
function withoutDefaults(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length === 0 ? undefined : [...value];
  if (Array.isArray(value)) {
    return value.length === 0 ? undefined : value.map((item) => withoutDefaults(item) ?? null);
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .map(([name, member]) => [name, withoutDefaults(member)] as const)
      .filter(([, member]) => member !== undefined);
    return members.length === 0 ? undefined : Object.fromEntries(members);
  }
  return value === 0 || value === 0n || value === "" || value === false ? undefined : value;
}

const foreign = foreignCodecs();
describe.skipIf(foreign === undefined)(
  foreign === undefined
    ? "the protos of others (skipped: cosmjs-types is not installed here)"
    : "the protos of others are those that cosmjs-types was generated from",
  () => {
    it("almost all are compared", () => expect(foreign?.length).toBeGreaterThan(180));

    it.each(foreign ?? [])("%s", (name, codec) => {
      const type = messageTypeNamed(name);
      const keys = Object.keys(codec.fromPartial({}));
      const ours = type.fields.map(({ key }) => key);
      expect(keys.sort()).toEqual([...ours, ...(LEFT_OUT[name] ?? [])].sort());
      fc.assert(
        fc.property(messageOf(type, 4), (message) => {
          const bytes = Uint8Array.from(type.codec.encode(message).finish());
          expect(withoutDefaults(codec.decode(bytes))).toEqual(withoutDefaults(message));
        }),
        { numRuns: 10 },
      );
    });
  },
);
