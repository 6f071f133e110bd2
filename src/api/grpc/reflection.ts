import type { handleBidiStreamingCall } from "@grpc/grpc-js";
import type {
  ServerReflectionRequest as Request,
  ServerReflectionResponse as Response,
} from "../../gen/grpc/reflection/v1/reflection.ts";
import { STATUS } from "../services/unary.ts";
import type { DescriptorIndex } from "./descriptor_index.ts";
import { statusText } from "./status_text.ts";

/** Both versions are the same on the wire; grpcurl asks the older one, others the newer. */
export const REFLECTION_SERVICES = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
] as const;

interface Reflected {
  readonly index: () => DescriptorIndex;
  /** Full names of the services that the server has. */
  readonly services: readonly string[];
  readonly idleMs: number;
}

/** Server reflection: one answer for each request of the stream, in their order. */
export function reflectionHandler(
  reflected: Reflected,
): handleBidiStreamingCall<Request, Response> {
  return (call) => {
    const idle = setTimeout(() => {
      const details = `no request within ${reflected.idleMs} ms`;
      call.emit("error", { code: STATUS.deadlineExceeded, details });
    }, reflected.idleMs);
    const stop = () => clearTimeout(idle);
    call.on("data", (request: Request) => {
      idle.refresh();
      // Further requests wait until the client has taken the answers.
      if (!call.write(reflectionAnswer(reflected, request))) {
        call.pause();
        call.once("drain", () => call.resume());
      }
    });
    call.on("end", () => {
      stop();
      call.end();
    });
    call.on("cancelled", stop);
    call.on("error", stop);
  };
}

/** The answer to one request; what cannot be found is an error within it. */
export function reflectionAnswer({ index, services }: Reflected, request: Request): Response {
  const head = { validHost: request.host, originalRequest: request };
  const { fileByFilename, fileContainingSymbol, fileContainingExtension } = request;
  const fileAnswer = (name: string | undefined, what: string): Response => {
    const files = name === undefined ? undefined : index().filesFrom(name);
    return files === undefined
      ? { ...head, errorResponse: notFound(what) }
      : { ...head, fileDescriptorResponse: { fileDescriptorProto: files } };
  };
  if (request.listServices !== undefined) {
    return { ...head, listServicesResponse: { service: services.map((name) => ({ name })) } };
  }
  if (fileByFilename !== undefined) {
    return fileAnswer(fileByFilename, `file ${fileByFilename}`);
  }
  if (fileContainingSymbol !== undefined) {
    return fileAnswer(index().fileOf(fileContainingSymbol), `symbol ${fileContainingSymbol}`);
  }
  if (fileContainingExtension !== undefined) {
    const { containingType, extensionNumber } = fileContainingExtension;
    const file = index().fileOfExtension(containingType, extensionNumber);
    return fileAnswer(file, `extension ${extensionNumber} of ${containingType}`);
  }
  return { ...head, ...extensionAnswer(index(), request.allExtensionNumbersOfType) };
}

function extensionAnswer(index: DescriptorIndex, type: string | undefined): Partial<Response> {
  if (type === undefined) {
    const errorMessage = "the request asks for nothing";
    return { errorResponse: { errorCode: STATUS.invalidArgument, errorMessage } };
  }
  const extensionNumber = index.extensionNumbers(type);
  if (extensionNumber === undefined) return { errorResponse: notFound(`type ${type}`) };
  return { allExtensionNumbersResponse: { baseTypeName: type, extensionNumber } };
}

function notFound(what: string) {
  return { errorCode: STATUS.notFound, errorMessage: statusText(`${what} not found`) };
}
