/** Serves a provider to the engine, as a plugin or in a test. */
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { EngineLog } from "./engine";
import { announce, listen } from "./grpc";
import type { Provider } from "./provider";
import { resourceProvider } from "./service";

export interface RunningProvider {
  port: number;
  /** Stops at once: running requests fail. */
  close(): void;
}

/** Starts the provider's gRPC server on a free port of the loopback address. `engine`: the engine's `host:port`. */
export async function startProvider(provider: Provider, engine?: string): Promise<RunningProvider> {
  const log = new EngineLog();
  if (engine) log.connect(engine);
  const { port, server } = await listen(ResourceProviderService, resourceProvider(provider, log));
  return {
    port,
    close() {
      server.forceShutdown();
      log.close();
    },
  };
}

/** A plugin's main: serves until SIGINT or SIGTERM, and prints the port, which is what the engine waits for. */
export async function serve(provider: Provider): Promise<void> {
  process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
    process.stderr.write(`pulumi-resource-${provider.name}: ${error.stack}\n`);
    // A peer that stopped reading (a child's stdin, our own stdout) fails its own operation, not the other ones.
    if (error.code !== "EPIPE") process.exit(1);
  });
  // The CLI passes flags, too (--logtostderr, -v=9, --tracing URL); the engine's address is the last argument.
  const running = await startProvider(provider, process.argv.slice(2).pop());
  announce(running.port, () => running.close());
}
