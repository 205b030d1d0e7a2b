/** The SDK versions that the stand-ins stand in for; the bundler takes them in, so that a plugin is one file. */
import command from "@pulumi/command/package.json";
import random from "@pulumi/random/package.json";
import tls from "@pulumi/tls/package.json";

export const versions = { command: command.version, random: random.version, tls: tls.version };
