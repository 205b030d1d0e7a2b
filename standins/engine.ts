/** The way back from a plugin to the engine: messages that the CLI shows. */
import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** `info#status` is an info that the CLI shows only while the operation runs. */
export type Severity = "debug" | "info" | "info#status" | "warning" | "error";

const SEVERITIES = {
  debug: LogSeverity.DEBUG,
  info: LogSeverity.INFO,
  "info#status": LogSeverity.INFO,
  warning: LogSeverity.WARNING,
  error: LogSeverity.ERROR,
} satisfies Record<Severity, LogSeverity>;

/** Sends messages in the order in which they were logged. */
export class EngineLog {
  private client?: EngineClient;
  private last: Promise<void> = Promise.resolve();

  /** From now on, messages go to the engine at this address (`host:port`). */
  connect(address: string): void {
    this.client?.close();
    this.client = new EngineClient(address, grpc.credentials.createInsecure());
  }

  /** Queues a message about the resource `urn`; without an engine it goes to stderr. */
  log(urn: string, severity: Severity, message: string): void {
    const request = new LogRequest();
    request.setUrn(urn);
    request.setSeverity(SEVERITIES[severity]);
    request.setEphemeral(severity === "info#status");
    request.setMessage(message);
    this.last = this.last.then(() => this.send(request));
  }

  /** Resolves when everything logged so far was delivered: do this before an operation answers. */
  flush(): Promise<void> {
    return this.last;
  }

  close(): void {
    this.client?.close();
  }

  private send(request: LogRequest): Promise<void> {
    return new Promise((resolve) => {
      const undelivered = (why: string) => {
        process.stderr.write(`${why}: ${request.getMessage()}\n`);
        resolve();
      };
      if (!this.client) return undelivered("no engine to log to");
      this.client.log(request, (error) => (error ? undelivered(`log: ${error.message}`) : resolve()));
    });
  }
}
