import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { TortureError } from "./errors.ts";
import { Flow } from "./flow.ts";

/** Bytes that a session may hold: a block can be large. */
export const SESSION_MEMORY_MB = 256;

/** What a node answers to a gRPC call. */
export interface GrpcAnswer {
  /** With ":status". */
  readonly headers: OutgoingHttpHeaders;
  /** Its messages; of a stream more may come. */
  readonly flow: Flow;
  /** When the flow is over; undefined: the headers were all. */
  readonly trailers: () => IncomingHttpHeaders | undefined;
  /** Ends the call. */
  readonly drop: () => void;
}

/** The node has ended one call, and not the connection. */
export class CallReset extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`the node has reset the call (HTTP/2 code ${code})`);
    this.name = "CallReset";
    this.code = code;
  }
}

/** "127.0.0.1:9090", "http://…", "https://…". @throws TortureError `bad_node` */
export function grpcUrl(target: string): string {
  const full = /^https?:\/\//.test(target)
    ? target
    : `http://${target.replace(/^(tcp|dns):\/*/, "")}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url !== undefined && url.pathname === "/" && (url.port !== "" || /^http/.test(target))) {
    return url.origin;
  }
  const detail = `--grpc is host:port, or https://host:port with TLS, not "${target}"`;
  throw new TortureError("bad_node", detail);
}

/** A connection to a node's gRPC door, made again when it is gone. */
export class GrpcNode {
  readonly #url: string;
  #session: ClientHttp2Session | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Makes a call; resolves with the first message of the answer, or with the end of one without.
   * @param headers as they came from the client
   * @throws CallReset, Error when the node is not there or cuts the connection
   */
  async call(headers: IncomingHttpHeaders, request: Flow): Promise<GrpcAnswer> {
    const session = this.#open();
    const stream = session.request(throughHeaders(headers));
    const stop = request.follow({
      data: (chunk) => void (stream.writable && stream.write(chunk)),
      over: (isWhole) => (isWhole ? stream.end() : undefined),
    });
    stream.once("close", stop);
    const answer = answerOf(stream);
    if (!(await answer.flow.untilMessage())) {
      if (session.destroyed || session.closed) throw new Error("the node has cut the connection");
      throw new CallReset(stream.rstCode ?? constants.NGHTTP2_INTERNAL_ERROR);
    }
    return answer;
  }

  #open(): ClientHttp2Session {
    const known = this.#session;
    if (known !== undefined && !known.destroyed && !known.closed) return known;
    const session = connect(this.#url, { maxSessionMemory: SESSION_MEMORY_MB });
    session.on("error", () => session.destroy());
    this.#session = session;
    return session;
  }

  close(): void {
    this.#session?.destroy();
  }
}

function answerOf(stream: ClientHttp2Stream): GrpcAnswer {
  const flow = new Flow();
  let headers: OutgoingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  let isAll = false;
  stream.once("response", (received, flags) => {
    headers = received;
    isAll = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.once("trailers", (received) => {
    trailers = received;
  });
  stream.on("error", () => undefined);
  stream.on("data", (chunk: Buffer) => flow.add(chunk));
  stream.once("end", () => {
    // A call that is reset ends as well: what is whole has trailers, or headers and no more.
    const isGrpc = /^application\/grpc/.test(String(headers["content-type"] ?? ""));
    flow.end(isAll || trailers !== undefined || !isGrpc);
  });
  stream.once("close", () => flow.end(false));
  return {
    get headers() {
      return headers;
    },
    flow,
    trailers: () => trailers,
    drop: () => stream.close(constants.NGHTTP2_CANCEL),
  };
}

/** What was sent to us, but for what names us. */
function throughHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = Object.entries(headers).filter(
    ([name]) => !/^:(authority|scheme)$|^host$/.test(name),
  );
  return Object.fromEntries(kept);
}
