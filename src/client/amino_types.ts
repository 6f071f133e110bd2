import type { GeneratedType } from "@cosmjs/proto-signing";
import type { AminoConverters } from "@cosmjs/stargate";
import { aminoMsg } from "../codec/amino_json.ts";
import {
  aminoNameOf,
  type MessageType,
  messageTypeNamed,
  messageTypeOfField,
} from "../codec/message_types.ts";
import { type FieldSchema, SERVICES } from "../gen/schema.ts";
import { fromBase64 } from "../lib/bytes.ts";
import { parseDec } from "../types/dec.ts";
import { ClientError } from "./errors.ts";

/**
 * What CosmJS needs to know of this chain's own messages, besides its defaults for the Cosmos SDK's:
 *
 *   const registry = new Registry([...defaultRegistryTypes, ...settledTypes()]);
 *   const aminoTypes = new AminoTypes({
 *     ...createDefaultAminoConverters(),
 *     ...settledAminoConverters(),
 *   });
 *   SigningStargateClient.connectWithSigner(url, signer, { registry, aminoTypes });
 */
export function settledTypes(): [string, GeneratedType][] {
  // The same class twice to the compiler: CosmJS is CommonJS and names the protobuf runtime so.
  return ownMessages().map((type) => [type.typeUrl, type.codec as unknown as GeneratedType]);
}

/** Converters for wallets that sign amino JSON (Ledger, Keplr with one, multisigs). */
export function settledAminoConverters(): AminoConverters {
  return Object.fromEntries(ownMessages().map((type) => [type.typeUrl, converterOf(type)]));
}

/** Messages of txs that are not the Cosmos SDK's. */
function ownMessages(): MessageType[] {
  return SERVICES.filter(({ isMsg, name }) => isMsg === true && !name.startsWith("cosmos."))
    .flatMap(({ methods }) => methods)
    .map(({ input }) => messageTypeNamed(input));
}

function converterOf(type: MessageType): AminoConverters[string] {
  const { aminoName } = type.schema;
  if (aminoName === undefined) throw bad(`${type.typeUrl} has no amino name`);
  return {
    aminoType: aminoName,
    toAmino: (value: object) => aminoMsg(type, type.codec.fromPartial(value)).value,
    fromAmino: (value: unknown) => messageOf(type, value),
  };
}

/** The message of its amino JSON: what is left out there has its default. */
function messageOf(type: MessageType, json: unknown): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw bad(`${type.name}: expected an object, found ${JSON.stringify(json)}`);
  }
  const left = new Map(Object.entries(json));
  const partial: Record<string, unknown> = {};
  for (const field of type.fields) {
    const value = left.get(aminoNameOf(field));
    left.delete(aminoNameOf(field));
    if (value === undefined || value === null) continue;
    partial[field.key] = fieldOf(type, field, value);
  }
  const [unknown] = left.keys();
  if (unknown !== undefined) throw bad(`${type.name} has no field "${unknown}"`);
  return type.codec.fromPartial(partial);
}

function fieldOf(type: MessageType, field: FieldSchema, value: unknown): unknown {
  if (field.repeated !== true) return itemOf(type, field, value);
  if (!Array.isArray(value)) throw bad(`${type.name}.${field.name}: expected a list`);
  return value.map((item) => itemOf(type, field, item));
}

function itemOf(type: MessageType, field: FieldSchema, value: unknown): unknown {
  const where = `${type.name}.${field.name}`;
  switch (field.kind) {
    case "message":
      return messageOf(messageTypeOfField(field), value);
    case "string":
      return textOf(where, field, value);
    case "bytes": {
      const bytes = typeof value === "string" ? fromBase64(value) : undefined;
      if (bytes === undefined) throw bad(`${where}: expected base64`);
      return bytes;
    }
    case "int64":
    case "sint64":
    case "sfixed64":
    case "uint64":
    case "fixed64":
      if (typeof value !== "string" || !/^-?[0-9]+$/.test(value)) {
        throw bad(`${where}: expected an integer as text`);
      }
      return BigInt(value);
    case "bool":
      if (typeof value !== "boolean") throw bad(`${where}: expected true or false`);
      return value;
    case "float":
    case "double":
      throw bad(`${where}: amino JSON has no fractions`);
    case "enum":
    case "int32":
    case "sint32":
    case "sfixed32":
    case "uint32":
    case "fixed32":
      if (!Number.isSafeInteger(value)) throw bad(`${where}: expected an integer`);
      return value;
  }
}

function textOf(where: string, { scalar }: FieldSchema, value: unknown): string {
  if (typeof value !== "string") throw bad(`${where}: expected a text`);
  // An empty Dec shows as "0", any other with 18 places; on the wire it is in units of 10^-18.
  if (scalar !== "cosmos.Dec" || value === "0") return scalar === "cosmos.Dec" ? "" : value;
  const dec = parseDec(value);
  if (dec === undefined) throw bad(`${where}: expected a decimal, found "${value.slice(0, 100)}"`);
  return dec.toString();
}

function bad(detail: string): ClientError {
  return new ClientError("bad_amino", detail);
}
