/** What the plugins' gRPC servers share. */
import * as grpc from "@grpc/grpc-js";
import { toGrpcError } from "./errors";

/** A gRPC handler from a function that may throw. `before` is awaited before each answer. */
export function unary<Request, Response>(
  handle: (request: Request) => Response | Promise<Response>,
  before: () => Promise<void> = () => Promise.resolve(),
) {
  return (call: grpc.ServerUnaryCall<Request, Response>, callback: grpc.sendUnaryData<Response>): void => {
    const answered = Promise.resolve(call.request).then(handle);
    answered.then(
      (response) => void before().then(() => callback(null, response)),
      (error: unknown) => void before().then(() => callback(toGrpcError(error))),
    );
  };
}

/**
 * A server on a free port of the loopback address. Methods that `handlers` leaves out answer that they are not
 * implemented.
 */
export async function listen(
  service: grpc.ServiceDefinition,
  handlers: object,
): Promise<{ port: number; server: grpc.Server }> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(service, handlers as grpc.UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, server };
}

/** A plugin's life: it prints its port, for which the engine waits, and ends at SIGINT and SIGTERM. */
export function announce(port: number, close: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      close();
      process.exit(0);
    });
  }
  process.stdout.write(`${port}\n`);
}
