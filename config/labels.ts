/** What Kubernetes takes as labels (k8s.io/apimachinery/pkg/util/validation): of hosts, as of pods. */
import { z } from "zod";

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

function isLabelName(name: string): boolean {
  const parts = name.split("/");
  const own = parts.pop()!;
  return NAME.test(own) && (parts.length === 0 || (parts.length === 1 && PREFIX.test(parts[0]!)));
}

/** Those that say what is so by the program's own doing. */
const isReserved = (name: string) => name === "security.istio.io/tlsMode" || name.startsWith("pulumi-istio-vm/");

const VALUE =
  "a label's value: 63 letters, digits, `-`, `_` and `.` at most, of which the first and the last are no sign";

export const labels = z.record(
  z
    .string()
    .refine(
      isLabelName,
      "a label's name as Kubernetes takes it: 63 letters, digits, `-`, `_` and `.` at most, `prefix/` before it",
    )
    .refine((name) => !isReserved(name), "a label that this program does not set itself"),
  z.string({ error: "a text" }).refine((value) => value === "" || NAME.test(value), VALUE),
  { error: "a map of label names to values" },
);
