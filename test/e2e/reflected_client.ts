import { type Client, Metadata, type ServiceError } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor.js";
import { callUnary } from "../unit/api/grpc_calls.ts";

/** Our own words for the messages of the reflection protocol: what the client must know before. */
const REFLECTION = protobuf.parse(`
  syntax = "proto3";
  message Request {
    string host = 1;
    oneof ask {
      string file_by_filename = 3;
      string file_containing_symbol = 4;
      Extension file_containing_extension = 5;
      string all_extension_numbers_of_type = 6;
      string list_services = 7;
    }
  }
  message Extension { string containing_type = 1; int32 extension_number = 2; }
  message Response {
    Files file_descriptor_response = 4;
    Numbers all_extension_numbers_response = 5;
    Services list_services_response = 6;
    Failure error_response = 7;
  }
  message Files { repeated bytes file_descriptor_proto = 1; }
  message Numbers { string base_type_name = 1; repeated int32 extension_number = 2; }
  message Services { repeated Service service = 1; }
  message Service { string name = 1; }
  message Failure { int32 error_code = 1; string error_message = 2; }
`).root;

/** An answer of the reflection service, as plain objects. */
export interface Reflected {
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
  readonly allExtensionNumbersResponse?: { readonly extensionNumber: readonly number[] };
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly errorResponse?: { readonly errorCode: number; readonly errorMessage: string };
}

export type ReflectionVersion = "v1" | "v1alpha";

/** Asks all requests on one stream. */
export async function reflect(
  client: Client,
  version: ReflectionVersion,
  requests: readonly object[],
): Promise<Reflected[]> {
  const [Request, Response] = [REFLECTION.lookupType("Request"), REFLECTION.lookupType("Response")];
  const call = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (request: object) => Buffer.from(Request.encode(Request.fromObject(request)).finish()),
    (bytes: Buffer) => Response.toObject(Response.decode(bytes)) as Reflected,
  );
  for (const request of requests) call.write(request);
  call.end();
  const answers: Reflected[] = [];
  for await (const answer of call as AsyncIterable<Reflected>) answers.push(answer);
  return answers;
}

/** A client that knows no .proto file: whatever it knows, the server has told. */
export class ReflectedClient {
  readonly #client: Client;
  readonly #root: protobuf.Root;

  private constructor(client: Client, root: protobuf.Root) {
    this.#client = client;
    this.#root = root;
  }

  static async open(client: Client, services: readonly string[]): Promise<ReflectedClient> {
    const requests = services.map((name) => ({ fileContainingSymbol: name }));
    const files = new Map<string, descriptor.IFileDescriptorProto>();
    for (const { fileDescriptorResponse } of await reflect(client, "v1", requests)) {
      for (const bytes of fileDescriptorResponse?.fileDescriptorProto ?? []) {
        const file = descriptor.FileDescriptorProto.decode(
          bytes,
        ) as descriptor.IFileDescriptorProto;
        files.set(String(file.name), file);
      }
    }
    const set = descriptor.FileDescriptorSet.create({ file: [...files.values()] });
    const root = protobuf.Root.fromDescriptor(descriptor.FileDescriptorSet.encode(set).finish());
    root.resolveAll();
    return new ReflectedClient(client, root);
  }

  encode(type: string, message: object): Uint8Array {
    const found = this.#root.lookupType(type);
    return found.encode(found.fromObject(message)).finish();
  }

  decode(type: string, bytes: Uint8Array): Answer {
    const found = this.#root.lookupType(type);
    const options = { longs: String, bytes: String, enums: String, defaults: true };
    return found.toObject(found.decode(bytes), options);
  }

  /** Calls "package.Service/Method". @throws CallError */
  async call(
    path: string,
    request: object = {},
    given: { readonly height?: string; readonly deadlineMs?: number } = {},
  ): Promise<{ readonly answer: Answer; readonly height: string }> {
    const [service = "", name = ""] = path.split("/");
    const method = this.#root.lookupService(service).methods[name];
    method?.resolve();
    const [input, output] = [method?.resolvedRequestType, method?.resolvedResponseType];
    if (input == null || output == null) throw new Error(`the server has not told of ${path}`);
    const metadata = new Metadata();
    if (given.height !== undefined) metadata.set("x-cosmos-block-height", given.height);
    const options = { deadline: Date.now() + (given.deadlineMs ?? 20_000) };
    const bytes = this.encode(input.fullName, request);
    const outcome = await callUnary(this.#client, `/${path}`, bytes, { metadata, options });
    if (outcome.code !== 0) throw new CallError(outcome.code, outcome.details);
    return {
      answer: this.decode(output.fullName, outcome.value ?? new Uint8Array(0)),
      height: String(outcome.headers["x-cosmos-block-height"]),
    };
  }
}

/** Its form is what the server says it is. */
export type Answer = any;

export class CallError extends Error implements Pick<ServiceError, "code" | "details"> {
  readonly code: number;
  readonly details: string;

  constructor(code: number, details: string) {
    super(`${code}: ${details}`);
    this.code = code;
    this.details = details;
  }
}
