import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { FILE_DESCRIPTOR_SET } from "../../../src/gen/file_descriptor_set.ts";
import { CODECS } from "../../../src/gen/registry.ts";
import { ENUMS, MESSAGES, SERVICES } from "../../../src/gen/schema.ts";
import { fromBase64 } from "../../../src/lib/bytes.ts";

const script = fileURLToPath(new URL("../../../scripts/gen_proto.mjs", import.meta.url));
const run = (...args: string[]) =>
  spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });

describe("the generator", () => {
  it("finds src/gen and the OpenAPI document current", () => {
    expect(run("--check")).toMatchObject({
      stdout: "src/gen and docs/openapi.json are current\n",
      status: 0,
    });
  });

  it("explains itself and refuses unknown arguments", () => {
    expect(run("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("--check") });
    expect(run("--chek")).toMatchObject({ status: 2, stderr: expect.stringContaining("--chek") });
  });
});

describe("the schema", () => {
  it("has a codec for every message, and the reverse", () => {
    const names = MESSAGES.map(({ name }) => name);
    expect(CODECS.map(([name]) => name)).toEqual(names);
    expect(new Set(names).size).toBe(names.length);
  });

  it("names the properties that the generated code has", () => {
    for (const { name, fields } of MESSAGES) {
      const keys = Object.keys(messageTypeNamed(name).codec.fromPartial({}) as object);
      expect([name, ...keys.sort()]).toEqual([name, ...fields.map(({ key }) => key).sort()]);
    }
  });

  it("resolves every type that a field names", () => {
    const known = new Set([...MESSAGES, ...ENUMS].map(({ name }) => name));
    const named = MESSAGES.flatMap(({ fields }) =>
      fields.flatMap(({ typeName }) => typeName ?? []),
    );
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it("has each amino name and each REST route once", () => {
    const amino = MESSAGES.flatMap(({ aminoName }) => aminoName ?? []);
    expect(new Set(amino).size).toBe(amino.length);
    const methods = SERVICES.flatMap((service) => service.methods);
    const rules = methods.flatMap(({ http }) => http ?? []);
    expect(new Set(rules.map(({ verb, path }) => `${verb} ${path}`)).size).toBe(rules.length);
    expect(rules.every(({ path }) => path.startsWith("/"))).toBe(true);
  });

  it("has the whole settlement service", () => {
    const service = (name: string) => SERVICES.find((it) => it.name === name);
    const msg = service("virtengine.settlement.v1.Msg");
    expect(msg).toMatchObject({ isMsg: true });
    expect(msg?.methods.map(({ name }) => name)).toEqual([
      "CreateEscrow",
      "ActivateEscrow",
      "ReleaseEscrow",
      "RefundEscrow",
      "DisputeEscrow",
      "SettleOrder",
      "RecordUsage",
      "AcknowledgeUsage",
      "ClaimRewards",
    ]);
    for (const { name, input } of msg?.methods ?? []) {
      expect(messageTypeNamed(input).schema).toMatchObject({
        name: `virtengine.settlement.v1.Msg${name}`,
        aminoName: `settlement/Msg${name}`,
        signers: ["sender"],
      });
    }
    const query = service("virtengine.settlement.v1.Query");
    expect(query?.methods.length).toBe(18);
    expect(query?.methods.every(({ http }) => http?.[0]?.verb === "get")).toBe(true);
  });

  it("gives every message of a tx an amino name and a signer", () => {
    for (const { methods } of SERVICES.filter(({ isMsg }) => isMsg === true)) {
      for (const { input } of methods) {
        const { aminoName, signers } = messageTypeNamed(input).schema;
        expect([input, typeof aminoName, signers?.length]).toEqual([input, "string", 1]);
      }
    }
  });
});

it("the descriptor set holds every file, options and well-known types among them", () => {
  const set = fromBinary(
    FileDescriptorSetSchema,
    fromBase64(FILE_DESCRIPTOR_SET) ?? new Uint8Array(),
  );
  const names = set.file.map(({ name }) => name);
  expect(names).toContain("virtengine/settlement/v1/tx.proto");
  expect(names).toContain("google/protobuf/any.proto");
  expect(names).toContain("amino/amino.proto");
});
