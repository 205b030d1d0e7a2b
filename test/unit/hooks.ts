/** The hooks of a program's resources, which the mocks know nothing of. */
import { createRequire } from "node:module";

interface Hook {
  name: string;
  callback: () => void | Promise<void>;
}
const runtime = createRequire(__filename)("@pulumi/pulumi/runtime/resource") as {
  registerResourceHook: (hook: Hook) => Promise<void>;
};

/** Runs a program. @returns also what calls one of its hooks, as the engine does */
export async function withHooks<T>(run: () => Promise<T>): Promise<T & { callHook: (name: string) => Promise<void> }> {
  const { registerResourceHook } = runtime;
  const hooks = new Map<string, Hook>();
  runtime.registerResourceHook = (hook) => {
    hooks.set(hook.name, hook);
    return registerResourceHook(hook);
  };
  try {
    return { ...(await run()), callHook: async (name) => hooks.get(name)!.callback() };
  } finally {
    runtime.registerResourceHook = registerResourceHook;
  }
}
