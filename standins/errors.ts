/** Errors with a meaning of their own in the provider protocol. Any other error fails the operation with its message. */
import * as grpc from "@grpc/grpc-js";

export interface Failure {
  /** Path of the input that is wrong; empty if none in particular. */
  property: string;
  reason: string;
}

/** Thrown by a check: the engine shows each failure at its property. */
export class CheckError extends Error {
  constructor(readonly failures: Failure[]) {
    super(failures.map(({ property, reason }) => (property ? `${property}: ${reason}` : reason)).join("\n"));
  }
}

/** Thrown for what a stand-in does not implement. */
export class NotImplemented extends Error {}

/** The gRPC form of anything thrown. */
export function toGrpcError(error: unknown): Partial<grpc.StatusObject> {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof NotImplemented ? grpc.status.UNIMPLEMENTED : grpc.status.UNKNOWN;
  return { code, details: message };
}
