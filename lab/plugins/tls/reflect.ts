/**
 * The part of the Reflect metadata API that tsyringe, on which @peculiar/x509 stands, asks for when it is loaded.
 * To be imported before @peculiar/x509.
 */
type Metadata = Map<unknown, unknown>;
const stored = new WeakMap<object, Map<PropertyKey | undefined, Metadata>>();

function metadata(target: object, property?: PropertyKey): Metadata {
  const ofTarget = stored.get(target) ?? new Map<PropertyKey | undefined, Metadata>();
  stored.set(target, ofTarget);
  const ofProperty = ofTarget.get(property) ?? (new Map() as Metadata);
  ofTarget.set(property, ofProperty);
  return ofProperty;
}

function getMetadata(key: unknown, target: object, property?: PropertyKey): unknown {
  const own = metadata(target, property);
  if (own.has(key)) return own.get(key);
  const parent = Reflect.getPrototypeOf(target);
  return parent === null ? undefined : getMetadata(key, parent, property);
}

if (!("getMetadata" in Reflect)) {
  Object.assign(Reflect, {
    getMetadata,
    getOwnMetadata: (key: unknown, target: object, property?: PropertyKey) => metadata(target, property).get(key),
    defineMetadata: (key: unknown, value: unknown, target: object, property?: PropertyKey) =>
      void metadata(target, property).set(key, value),
  });
}
