import { connect } from "node:tls";
import type { Client, ClientChannel } from "ssh2";
import type { IstiodProof } from "../../diagnosis/facts";
import type { IstiodEndpoint } from "../../mesh/environment";
import { forward } from "../../ssh/session";

/** Milliseconds in which the connection must be there, and then the handshake done. */
const TIME_OUT = 5000;

/**
 * Whether istiod proves to be of this mesh, seen from a host: a TLS handshake through the host's SSH session, so that
 * nothing but sshd is needed there.
 */
export async function proveIstiod(
  client: Client,
  { addresses, port, name }: IstiodEndpoint,
  rootCert: string,
  limit = TIME_OUT,
): Promise<IstiodProof> {
  let channel: ClientChannel | undefined;
  let untried = "";
  for (const address of addresses) {
    try {
      channel = await forward(client, address, port, limit);
      break;
    } catch (error) {
      untried = (error as Error).message;
    }
  }
  if (channel === undefined) return { untried };
  return new Promise((resolve) => {
    const socket = connect({ socket: channel, servername: name, ca: rootCert, ALPNProtocols: ["h2"] });
    const end = (proof: IstiodProof) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(proof);
    };
    const timer = setTimeout(() => end({ problem: `no TLS handshake within ${limit / 1000} s` }), limit);
    socket.once("secureConnect", () => end("proven"));
    socket.once("error", ({ message }: Error) => end({ problem: message }));
  });
}
