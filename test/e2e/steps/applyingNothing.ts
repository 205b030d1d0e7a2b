import type { Story } from "../story";

export function applyingNothing(story: Story): void {
  describe("a second time, with nothing changed", () => {
    it("previews no change", () => story.stack.succeed(["preview", "--expect-no-changes"]).then());

    it("changes nothing", () => story.stack.succeed(["up", "--yes", "--skip-preview", "--expect-no-changes"]).then());

    it("finds the cluster as the stack left it", () =>
      story.stack.succeed(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).then());
  });
}
