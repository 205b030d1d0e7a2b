/** What of the configuration holds secrets of it, as the components take them: each a Pulumi secret. */
import * as pulumi from "@pulumi/pulumi";
import type { Authority, Config } from ".";
import { signingKey } from "./caKey";

/** A CA of the user's own, with its key. */
export function providedAuthority({ provided: { caKey, ...certificates } }: Extract<Authority, { provided: object }>) {
  return { ...certificates, caKey: new pulumi.Config().requireSecret(caKey.secret).apply(signingKey) };
}

/** The sidecar packages, each from where hosts get it. */
export function sidecarPackages({ sidecar }: Config) {
  const secretUrl = (name: string) => new pulumi.Config().requireSecret(name).apply((text) => text.trim());
  return sidecar.map(({ format, architecture, sha256, source }) => ({
    ...{ format, architecture, sha256 },
    ...("secret" in source ? { secretUrl: secretUrl(source.secret) } : source),
  }));
}
