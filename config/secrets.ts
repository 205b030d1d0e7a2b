/** What of the configuration holds secrets of it, as the components take them: each a Pulumi secret. */
import * as pulumi from "@pulumi/pulumi";
import type { Authority, HostConfig } from ".";
import { signingKey } from "./caKey";

/** A CA of the user's own, with its key. */
export function providedAuthority({ provided: { caKey, ...certificates } }: Extract<Authority, { provided: object }>) {
  return { ...certificates, caKey: new pulumi.Config().requireSecret(caKey.secret).apply(signingKey) };
}

/** The sidecar packages of a host, each from where it gets it. */
export function sidecarPackages({ sidecar }: HostConfig) {
  const secretUrl = (name: string) => new pulumi.Config().requireSecret(name).apply((text) => text.trim());
  return sidecar.map(({ format, architecture, sha256, source }) => ({
    ...{ format, architecture, sha256 },
    ...("secret" in source ? { secretUrl: secretUrl(source.secret) } : source),
  }));
}
