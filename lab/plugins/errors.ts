/** Errors with a meaning of their own in the provider protocol. Any other error fails the operation with its message. */
import * as grpc from "@grpc/grpc-js";
import { ErrorResourceInitFailed } from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { Obj, toStruct } from "./values";

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

/**
 * Thrown by create, update or read when the object exists but did not become ready: the engine keeps it in the state,
 * with the reasons, and retries with an update. `state` must be marked with secrets like any other result.
 */
export class InitializationFailed extends Error {
  constructor(
    readonly id: string,
    readonly state: Obj,
    readonly reasons: string[],
    /** Only for read: the inputs to keep. */
    readonly inputs?: Obj,
  ) {
    super(reasons.join("\n"));
  }
}

/** The gRPC form of anything thrown. */
export function toGrpcError(error: unknown): grpc.ServerErrorResponse | grpc.StatusObject {
  const message = error instanceof Error ? error.message : String(error);
  const metadata = new grpc.Metadata();
  if (error instanceof NotImplemented) return { code: grpc.status.UNIMPLEMENTED, details: message, metadata };
  if (error instanceof InitializationFailed) {
    // The Go side finds the detail in a serialized Status under this reserved metadata key.
    metadata.add("grpc-status-details-bin", Buffer.from(initFailedStatus(error).serializeBinary()));
  }
  return { code: grpc.status.UNKNOWN, details: message, metadata };
}

function initFailedStatus(error: InitializationFailed): Status {
  const failed = new ErrorResourceInitFailed();
  failed.setId(error.id);
  failed.setProperties(toStruct(error.state));
  failed.setReasonsList(error.reasons);
  if (error.inputs) failed.setInputs(toStruct(error.inputs));
  const detail = new Any();
  detail.pack(failed.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const status = new Status();
  status.setCode(grpc.status.UNKNOWN);
  status.setMessage(error.message);
  status.addDetails(detail);
  return status;
}
