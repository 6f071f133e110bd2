import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { contractIndex } from "../../../src/api/grpc/descriptor_index.ts";
import { reflectionAnswer } from "../../../src/api/grpc/reflection.ts";
import { ENUMS, MESSAGES, SERVICES } from "../../../src/gen/schema.ts";
import { ServerReflectionRequest } from "../../../src/gen/grpc/reflection/v1/reflection.ts";

const index = contractIndex();
const reflected = { index: contractIndex, services: ["a.B"], idleMs: 1000 };

function answer(request: Partial<ServerReflectionRequest>) {
  return reflectionAnswer(reflected, ServerReflectionRequest.fromPartial(request));
}

function filesOf(symbol: string): FileDescriptorProto[] {
  const files = index.filesFrom(index.fileOf(symbol) ?? "") ?? [];
  return files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

/** The same files, each after those that it imports. */
function importedFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const done = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto) => {
    if (done.has(file)) return;
    for (const each of files) if (file.dependency.includes(each.name)) visit(each);
    done.add(file);
  };
  files.forEach(visit);
  return [...done];
}

test("every message, enum, service, method and field is found in its file", () => {
  const symbols = [
    ...MESSAGES.flatMap(({ name, fields }) => [name, ...fields.map((it) => `${name}.${it.name}`)]),
    ...ENUMS.map(({ name }) => name),
    ...SERVICES.flatMap(({ name, methods }) => [
      name,
      ...methods.map((it) => `${name}.${it.name}`),
    ]),
  ];
  expect(symbols.length).toBeGreaterThan(1500);
  expect(symbols.filter((symbol) => index.fileOf(symbol) === undefined)).toEqual([]);
});

test("a file comes first, then all that it needs, each once; together they are whole", () => {
  for (const { name } of SERVICES) {
    const files = filesOf(name);
    const [first] = files;
    expect(name.startsWith(`${first?.package}.`)).toBe(true);
    const names = files.map((file) => file.name);
    expect(new Set(names).size).toBe(names.length);
    const needed = files.flatMap(({ dependency }) => dependency);
    expect(needed.filter((it) => !names.includes(it))).toEqual([]);
    // Throws when a name cannot be resolved within what was sent.
    const registry = createFileRegistry(
      create(FileDescriptorSetSchema, { file: importedFirst(files) }),
    );
    expect(registry.getService(name)?.methods.length).toBeGreaterThan(0);
  }
});

test("extensions are found by type and number", () => {
  const http = { containingType: "google.protobuf.MethodOptions", extensionNumber: 72_295_728 };
  const found = answer({ fileContainingExtension: http });
  const [file] = found.fileDescriptorResponse?.fileDescriptorProto ?? [];
  expect(fromBinary(FileDescriptorProtoSchema, file as Uint8Array).name).toBe(
    "google/api/annotations.proto",
  );
  const numbers = answer({ allExtensionNumbersOfType: http.containingType });
  expect(numbers.allExtensionNumbersResponse?.extensionNumber).toContain(72_295_728);
  const none = answer({ allExtensionNumbersOfType: "cosmos.bank.v1beta1.MsgSend" });
  expect(none.allExtensionNumbersResponse).toEqual({
    baseTypeName: "cosmos.bank.v1beta1.MsgSend",
    extensionNumber: [],
  });
});

test("an answer repeats its request; what is not there is an error of the answer", () => {
  expect(answer({ host: "h", listServices: "" })).toMatchObject({
    validHost: "h",
    originalRequest: { host: "h", listServices: "" },
    listServicesResponse: { service: [{ name: "a.B" }] },
  });
  const missing = [
    { fileByFilename: "no.proto" },
    { fileContainingSymbol: "no.Such" },
    { fileContainingSymbol: "" },
    { fileContainingExtension: { containingType: "no.Such", extensionNumber: 1 } },
    { allExtensionNumbersOfType: "no.Such" },
  ];
  for (const request of missing) {
    expect(answer(request).errorResponse).toMatchObject({ errorCode: 5 });
  }
  expect(answer({}).errorResponse).toMatchObject({ errorCode: 3 });
});
