/** Istio's own application for tests: a server and a client of every protocol (pkg/test/echo). */
import type { Recipe } from "../artifacts";
import { folder } from "../paths";
import { goBuild } from "./go";

/** bin/{server,client}, and bin/stream, for gRPC calls that stream, which the client has none of. */
export const echo: Recipe = {
  name: "echo",
  title: "Istio's echo, a server and a client for tests (Go)",
  files: ["lab/build/istio", "lab/recipes/echo.ts", "lab/recipes/go.ts"],
  build: ({ out, log }) =>
    goBuild({
      module: "istio",
      packages: [
        ...["server", "client"].map((command) => `istio.io/istio/pkg/test/echo/cmd/${command}`),
        "lab.local/istio/cmd/stream",
      ],
      out: folder(out, "bin"),
      log,
      tags: ["vtprotobuf", "disable_pgv"],
    }),
};
