/** Resources that exist only in the state: made once from their inputs, and made again when those change. */
import { diffPaths, topLevel } from "./diff";
import { checkInputs, Fields } from "./inputs";
import type { ResourceType } from "./provider";
import { likeSecrets, Obj, plain, secret, UNKNOWN } from "./values";

export interface Generator extends Fields {
  /** Values of inputs that are not given. As in Terraform, they show in the state, not in the inputs. */
  defaults?: Obj;
  /** What `generate` adds to the inputs: unknown in a preview of the creation. */
  outputs: string[];
  /** Inputs and outputs that are secret whether the program says so or not. */
  secrets?: string[];
  /** Inputs whose change does not replace the resource. */
  updatable?: string[];
  /** Checks beyond the types of the inputs. `inputs` may hold unknowns. Throws CheckError. */
  check?(inputs: Obj): void;
  /** Makes the resource from inputs without secret wrappers, with defaults. */
  generate(inputs: Obj): Promise<{ id: string; outputs: Obj }>;
  /** The path of an output that has changed by itself since it was made, if any: replaces the resource. */
  outdated?(state: Obj, inputs: Obj): string | undefined;
  /** Brings the state up to date at a refresh. */
  refresh?(state: Obj): Obj;
}

/** The resource type that a generator makes. */
export function generatedResource(generator: Generator): ResourceType {
  const { defaults = {}, secrets = [], updatable = [] } = generator;
  const withDefaults = (inputs: Obj): Obj => ({ ...defaults, ...inputs });
  const marked = (state: Obj, inputs: Obj): Obj => ({
    ...likeSecrets(state, inputs),
    ...Object.fromEntries(secrets.filter((key) => state[key] !== undefined).map((key) => [key, secret(state[key])])),
  });

  return {
    check({ news }) {
      checkInputs(news, generator);
      generator.check?.(plain(withDefaults(news)));
      return news;
    },

    diff({ oldInputs, news, state }) {
      const changes = diffPaths(withDefaults(oldInputs), withDefaults(news));
      const outdated = generator.outdated?.(plain(state), plain(withDefaults(news)));
      if (outdated) changes.set(outdated, "UPDATE");
      return { changes, replaces: [...changes.keys()].filter((path) => !updatable.includes(topLevel(path))) };
    },

    async create({ inputs, preview }) {
      const all = withDefaults(inputs);
      if (preview) {
        const unknown = Object.fromEntries(generator.outputs.map((key) => [key, UNKNOWN]));
        return { id: "", state: marked({ ...all, ...unknown }, inputs) };
      }
      const { id, outputs } = await generator.generate(plain(all));
      return { id, state: marked({ ...plain<Obj>(all), ...outputs }, inputs) };
    },

    read({ id, inputs, state }) {
      return { id, inputs, state: { ...state, ...generator.refresh?.(plain(state)) } };
    },

    // Only `updatable` inputs can have changed: the outputs stay.
    update({ inputs, state }) {
      const outputs = Object.fromEntries(generator.outputs.map((key) => [key, state[key]]));
      return marked({ ...withDefaults(inputs), ...outputs }, inputs);
    },

    delete() {
      // Nothing exists outside of the state.
    },
  };
}
