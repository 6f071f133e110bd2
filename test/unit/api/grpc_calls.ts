import {
  type CallOptions,
  Client,
  credentials,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

/** What came of a unary call. */
export interface CallOutcome {
  readonly code: number;
  /** The status message of a failure. */
  readonly details: string;
  readonly value: Uint8Array | undefined;
  /** The metadata that came before the answer, by name. */
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A client that takes answers of any size. */
export function openClient(address: string): Client {
  return new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    // Clients of one process share connections otherwise.
    "grpc.use_local_subchannel_pool": 1,
  });
}

/** Bytes in, bytes out. A failure is an outcome too. */
export function callUnary(
  client: Client,
  path: string,
  request: Uint8Array,
  given: { readonly metadata?: Metadata; readonly options?: CallOptions } = {},
): Promise<CallOutcome> {
  return new Promise((resolve) => {
    let headers: Record<string, unknown> = {};
    const done = (error: ServiceError | null, value?: Buffer) =>
      resolve({ code: error?.code ?? 0, details: error?.details ?? "", value, headers });
    const encode = (bytes: Uint8Array) => Buffer.from(bytes);
    const decode = (bytes: Buffer) => bytes;
    const { metadata, options = {} } = given;
    const call =
      metadata === undefined
        ? client.makeUnaryRequest(path, encode, decode, request, options, done)
        : client.makeUnaryRequest(path, encode, decode, request, metadata, options, done);
    call.on("metadata", (received: Metadata) => {
      headers = received.getMap();
    });
  });
}
