/** Plays the engine's part towards the kubernetes stand-in: keeps the state of a few resources and calls it in order. */
import type { Timing } from "../../../lab/plugins/kubernetes/await";
import { kubernetesProvider } from "../../../lab/plugins/kubernetes/provider";
import { InitializationFailed } from "../../../lab/plugins/errors";
import { isWithin } from "../../../lab/plugins/diff";
import type { DiffResult, ResourceRequest } from "../../../lab/plugins/provider";
import { Obj } from "../../../lab/plugins/values";
import { FakeApiServer } from "./kubernetesFake";

export const FAST: Timing = { poll: 5, settle: 40, retries: [5, 5, 5] };

export interface Kept {
  id: string;
  inputs: Obj;
  state: Obj;
}

export interface Operation {
  /** Seconds. */
  timeout?: number;
  ignoreChanges?: string[];
}

/** One resource in one stack. */
export class Driver {
  kept?: Kept;
  readonly logs: string[] = [];
  readonly cancel = new AbortController();

  constructor(
    private readonly provider: ReturnType<typeof kubernetesProvider>,
    readonly type: string,
    readonly name = "res",
    private readonly options: Operation = {},
  ) {}

  async check(news: Obj, olds: Obj = this.kept?.inputs ?? {}): Promise<Obj> {
    return this.resource.check({ ...this.about, news, olds, randomSeed: Buffer.from("0123456789abcdef") });
  }

  /** The diff of new inputs against what is kept, without ignored paths (as the framework filters them). */
  async diff(news: Obj): Promise<DiffResult> {
    const { id, inputs, state } = this.expectKept();
    const ignoreChanges = this.options.ignoreChanges ?? [];
    const checked = await this.check(news);
    const result = await this.resource.diff({
      ...this.about,
      id,
      oldInputs: inputs,
      state,
      news: checked,
      ignoreChanges,
    });
    for (const path of result.changes.keys()) {
      if (ignoreChanges.some((pattern) => isWithin(path, pattern))) result.changes.delete(path);
    }
    return result;
  }

  async create(news: Obj, preview = false): Promise<Obj> {
    const inputs = await this.check(news);
    const request = { ...this.about, inputs, preview, timeout: this.options.timeout ?? 0 };
    const { id, state } = await this.keeping(inputs, () => this.resource.create(request));
    if (!preview) this.kept = { id, inputs, state };
    return state;
  }

  async update(news: Obj, preview = false): Promise<Obj> {
    const { id, inputs: oldInputs, state } = this.expectKept();
    const inputs = await this.check(news);
    const { timeout = 0, ignoreChanges = [] } = this.options;
    const request = { ...this.about, id, inputs, oldInputs, state, preview, timeout, ignoreChanges };
    const updated = await this.keeping(inputs, () => this.resource.update(request));
    if (!preview) this.kept = { id, inputs, state: updated };
    return updated;
  }

  /** False if the object is gone. */
  async refresh(): Promise<boolean> {
    const { id, inputs, state } = this.expectKept();
    this.kept = await this.resource.read({ ...this.about, id, inputs, state, timeout: 0 });
    return this.kept !== undefined;
  }

  async get(id: string): Promise<Kept | undefined> {
    return this.resource.read({ ...this.about, id, inputs: {}, state: {}, timeout: 0 });
  }

  async delete(): Promise<void> {
    const { id, inputs: oldInputs, state } = this.expectKept();
    await this.resource.delete({ ...this.about, id, oldInputs, state, timeout: this.options.timeout ?? 0 });
    this.kept = undefined;
  }

  private get resource() {
    const found = this.provider.resource(this.type);
    if (!found) throw new Error(`no resource type ${this.type}`);
    return found;
  }

  private get about(): ResourceRequest {
    return {
      urn: `urn:pulumi:dev::test::${this.type}::${this.name}`,
      type: this.type,
      name: this.name,
      log: (severity, message) => this.logs.push(`${severity}: ${message}`),
      signal: this.cancel.signal,
    };
  }

  /** Like the engine: what was made stays in the state even if it did not become ready. */
  private async keeping<T>(inputs: Obj, operation: () => T | Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (error instanceof InitializationFailed) this.kept = { id: error.id, inputs, state: error.state };
      throw error;
    }
  }

  private expectKept(): Kept {
    if (!this.kept) throw new Error("create the resource first");
    return this.kept;
  }
}

/** A fake API server for each test, and drivers that are configured for it. */
export function useFake() {
  const context = {
    fake: new FakeApiServer(),
    async driver(type: string, options: Obj = {}, operation: Operation = {}): Promise<Driver> {
      const provider = kubernetesProvider(FAST);
      await provider.configure?.({ kubeconfig: context.fake.kubeconfig, ...options });
      return new Driver(provider, type, "res", operation);
    },
  };
  beforeEach(async () => {
    context.fake = new FakeApiServer();
    await context.fake.start();
  });
  afterEach(() => context.fake.stop());
  return context;
}

export const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
export const configMap = (data: Obj, metadata: Obj = { name: "settings" }): Obj => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata,
  data,
});

export const SERVICE = "kubernetes:core/v1:Service";
export const service = (spec: Obj, annotations?: Obj): Obj => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", ...(annotations && { annotations }) },
  spec,
});

export const WIDGET = "kubernetes:example.com/v1:Widget";
export const widget = (spec: Obj): Obj => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name: "w" },
  spec,
});

/** Makes the fake serve the kind of `widget`. */
export function serveWidgets(fake: FakeApiServer): void {
  fake.groups["/apis/example.com/v1"] = [{ kind: "Widget", name: "widgets", namespaced: true }];
}
