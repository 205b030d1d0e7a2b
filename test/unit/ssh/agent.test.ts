import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { agentProblem } from "../../../ssh/agent";
import { withAgentAt, withDirectory } from "../support";

describe("agentProblem", () => {
  it("is none without SSH_AUTH_SOCK", async () => {
    for (const value of [undefined, ""]) await withAgentAt(value, () => assert.equal(agentProblem(), undefined));
  });

  it("is none where somebody listens", () =>
    withDirectory(async (directory) => {
      const socket = join(directory, "agent");
      const server = createServer().listen(socket);
      await once(server, "listening");
      try {
        await withAgentAt(socket, () => assert.equal(agentProblem(), undefined));
      } finally {
        server.close();
      }
    }));

  it("names the socket, and what is wrong with it", () =>
    withDirectory(async (directory) => {
      const socket = join(directory, "agent");
      const says = (reason: string) =>
        withAgentAt(socket, () =>
          assert.equal(agentProblem(), `SSH_AUTH_SOCK is ${socket}, where no ssh-agent answers (${reason})`),
        );
      await says("ENOENT");
      writeFileSync(socket, ""); // as one that an agent which was killed left
      await says("ECONNREFUSED");
    }));
});
