/** PEM as every reader takes it: Go's encoding/pem (istiod, the agents), BoringSSL (Envoy) and OpenSSL. */

/** Its lines may be indented, or all of it be one line. */
const BLOCK = /-----BEGIN ([^-]+)-----([^-]*)-----END \1-----/g;

export interface PemBlock {
  /** `CERTIFICATE`, for example. */
  label: string;
  /** The block in normal form: nothing around it, lines of 64 characters, each ended by a newline. */
  pem: string;
}

/** The blocks of a text that are whole, each by itself. One with headers (`Proc-Type`) is not for this. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, label = "", body = ""]) => ({ label, pem: pemBlock(label, body) }));
}

/** @param body in base64 */
export function pemBlock(label: string, body: string): string {
  const lines = body.replace(/\s/g, "").replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/** Whether a block of the text lacks its first line or its last. */
export function isCutOff(text: string): boolean {
  const ends = text.match(/-----(BEGIN|END) /g) ?? [];
  return ends.length !== 2 * pemBlocks(text).length;
}
