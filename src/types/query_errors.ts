import { register } from "../lib/errors.ts";

/** gRPC status codes that queries use; ABCI and HTTP codes are derived from them. */
const grpc = (code: number, text: string) => register("grpc", code, text);

export const GrpcUnknown = grpc(2, "Unknown");
export const GrpcInvalidArgument = grpc(3, "InvalidArgument");
export const GrpcNotFound = grpc(5, "NotFound");
export const GrpcResourceExhausted = grpc(8, "ResourceExhausted");
export const GrpcFailedPrecondition = grpc(9, "FailedPrecondition");
export const GrpcUnimplemented = grpc(12, "Unimplemented");
export const GrpcUnavailable = grpc(14, "Unavailable");
