/** A CA as a user makes it, by openssl: a root, and an intermediate with which istiod signs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

export interface OwnAuthority {
  /** In its subjects. */
  name: string;
  /** As ca.provided has them. */
  certificates: { rootCert: string; caCert: string; certChain: string };
  /** The intermediate's key, which the stack is given. */
  key: string;
  /** Never leaves the user. */
  rootKey: string;
}

const EXTENSIONS = `basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, digitalSignature, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid`;

/** @param kind of both keys: `EC:prime256v1`, `RSA:2048` */
export async function makeAuthority(name: string, kind: `${"EC" | "RSA"}:${string}`): Promise<OwnAuthority> {
  const folder = mkdtempSync(join(tmpdir(), "own-ca-"));
  const openssl = (...words: string[]) => execa("openssl", words, { cwd: folder });
  const [algorithm, size] = kind.split(":") as [string, string];
  const option = algorithm === "EC" ? "ec_paramgen_curve" : "rsa_keygen_bits";
  const newKey = (file: string) => ["-newkey", algorithm, "-pkeyopt", `${option}:${size}`, "-nodes", "-keyout", file];
  const subject = (of: string) => ["-subj", `/O=Example/CN=${name} ${of}`];
  const read = (file: string) => readFileSync(join(folder, file), "utf8");
  try {
    const uses = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    await openssl(
      ...["req", "-x509", "-days", "3650", "-out", "root.pem", ...uses],
      ...[...newKey("root.key"), ...subject("root")],
    );
    await openssl("req", "-new", "-out", "ca.csr", ...newKey("ca.key"), ...subject("intermediate"));
    writeFileSync(join(folder, "extensions"), EXTENSIONS);
    await openssl(
      ...["x509", "-req", "-in", "ca.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"],
      ...["-days", "1825", "-extfile", "extensions", "-out", "ca.pem"],
    );
    const [rootCert, caCert] = [read("root.pem"), read("ca.pem")];
    const certificates = { rootCert, caCert, certChain: caCert + rootCert };
    return { name, certificates, key: read("ca.key"), rootKey: read("root.key") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
