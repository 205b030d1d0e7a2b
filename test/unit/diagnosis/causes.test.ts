import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { CAUSES, explain, type Log } from "../../../diagnosis/causes";
import type { Cause } from "../../../diagnosis/causes/cause";
import { linesOf, redact, timeOf } from "../../../diagnosis/causes/logLine";
import { renderCauses } from "../../../diagnosis/causes/render";

const repository = join(__dirname, "..", "..", "..");
const folder = join(repository, "test", "fixtures", "logs");
const causes: Cause[] = Object.values(CAUSES).flat();

/** What was logged when something was broken: who wrote it in the first line, how it came about in those after it. */
function fixture(file: string): { file: string; code: string; log: Log } {
  const lines = readFileSync(join(folder, file), "utf8").split("\n");
  const by = lines[0]!.replace("# ", "");
  assert.match(by, /^(istiod|host|pulumi)$/, `${file} begins with "# istiod", "# host" or "# pulumi"`);
  const writer = by === "pulumi" ? undefined : (by as Log["writer"]);
  const text = lines.filter((line) => !line.startsWith("# ")).join("\n");
  return { file, code: file.split(".")[0]!, log: { where: "vm1", writer, text } };
}
const fixtures = readdirSync(folder).map(fixture);
const broken = fixtures.filter(({ code }) => code !== "healthy");
const healthy = fixtures.filter(({ code }) => code === "healthy");
const logOf = (file: string) => fixture(file).log;

const codes = (...logs: Log[]) => explain(logs).map(({ code, where, result }) => `${code} ${where} ${result}`);

describe("diagnosis/causes", () => {
  for (const { file, code, log } of broken) {
    it(`${file}: names ${code}, and nothing else`, () => {
      const found = explain([log]);
      assert.deepEqual(
        found.map((explanation) => explanation.code),
        [code],
      );
      const { message, fix, sample } = found[0]!;
      assert.doesNotMatch(`${message} ${fix}`, /[{}?]|undefined/, "every placeholder is filled");
      assert.ok(log.text.includes(sample));
      assert.equal(found[0]!.result, causes.find((cause) => cause.code === code)?.severity);
    });

    it(`${file}: names ${code} even if nobody says who wrote it`, () => {
      assert.deepEqual(
        explain([{ where: "stdin", text: log.text }]).map((explanation) => explanation.code),
        [code],
      );
    });
  }

  for (const { file, log } of healthy) {
    it(`${file}: names nothing`, () => {
      assert.ok(linesOf(log.text).length > 50);
      assert.deepEqual(explain([log, { ...log, writer: undefined }]), []);
    });
  }

  it("takes a certificate that is on a revocation list, or whose CA has none, for none of an unknown root", () => {
    const { log } = fixture("IVM904.envoy.txt");
    for (const words of ["unable_to_get_certificate_CRL", "certificate_revoked"]) {
      const text = log.text.replaceAll("self_signed_certificate_in_certificate_chain", words);
      assert.notEqual(text, log.text);
      assert.deepEqual(explain([{ ...log, text }]), []);
    }
  });

  it("has a line from a real log for every sign", () => {
    for (const { code, signs } of causes) {
      const lines = broken.flatMap((one) => (one.code === code ? one.log.text.split("\n") : []));
      for (const { pattern } of signs) {
        const recognized = lines.some(
          (line) => signs.find((sign) => sign.pattern.test(line))?.pattern.source === pattern.source,
        );
        assert.ok(recognized, `${code}: no fixture shows ${pattern}`);
      }
    }
  });

  it("has codes that are unique and in order, and placeholders that are groups", () => {
    const all = causes.map(({ code }) => code);
    assert.deepEqual(all, [...new Set(all)].sort());
    for (const { code, signs, fix, follows = [] } of causes) {
      assert.deepEqual(
        follows.filter((other) => !all.includes(other)),
        [],
      );
      for (const sign of signs) {
        for (const [, name] of `${sign.sentence} ${sign.fix ?? fix}`.matchAll(/\{(\w+)\}/g)) {
          assert.ok(name === "where" || sign.pattern.source.includes(`(?<${name}>`), `${code}: {${name}}`);
        }
      }
    }
  });

  it("tells both times of a certificate that is not valid yet", () => {
    const [found] = explain([logOf("IVM901.cacerts.txt")]);
    assert.match(found!.message, /valid from 2026-11-24T18:03:15Z, .* that it is 2026-11-23T18:03:41Z/);
  });

  it("calls a place of which nobody has told the name the host", () => {
    const [found] = explain([{ where: "stdin", text: logOf("IVM945.txt").text }]);
    assert.match(found!.message, /sidecar on the host/);
    assert.match(explain([logOf("IVM945.txt")])[0]!.message, /sidecar on vm1/);
  });

  it("counts lines and tells the first and the last time", () => {
    const [found] = explain([logOf("IVM903.txt")]);
    const { lines, first, last, where } = found!;
    assert.deepEqual(
      { lines, first, last, where },
      { lines: 3, first: "2026-11-23T17:49:51.398Z", last: "2026-11-23T17:49:51.398Z", where: "vm1" },
    );
    const refused = (second: number) =>
      `2026-11-23T17:00:0${second}.000000Z\terror\ttransport: Error while dialing: dial tcp 10.0.0.${second}:15012: connect: connection refused`;
    const [merged] = explain([
      { where: "a", writer: "host", text: `${refused(3)}\n${refused(5)}` },
      { where: "a", writer: "host", text: refused(1) },
    ]);
    assert.equal(merged?.lines, 3);
    assert.equal(merged.first, "2026-11-23T17:00:01.000Z");
    assert.equal(merged.last, "2026-11-23T17:00:05.000Z");
    assert.match(merged.message, /10\.0\.0\.5:15012/, "the last line speaks");
  });

  it("leaves out what is older than asked for", () => {
    const log = logOf("IVM921.txt");
    assert.equal(explain([log], new Date("2026-11-23T17:52:14Z")).length, 0);
    assert.equal(explain([log], new Date("2026-11-23T17:52:13Z")).length, 1);
  });

  const ready = (second: string, where = "vm1"): Log => ({
    where,
    writer: "host",
    text: `2026-11-23T17:${second}.000000Z\tinfo\tEnvoy proxy is ready`,
  });

  it("knows what is past: the host became ready after it", () => {
    const log = logOf("IVM921.txt"); // 17:52:13
    assert.deepEqual(codes(log, ready("53:00")), ["IVM921 vm1 past"]);
    assert.deepEqual(codes(log, ready("52:00")), ["IVM921 vm1 error"]);
    assert.deepEqual(codes(log, ready("53:00", "vm2")), ["IVM921 vm1 error"], "another host's readiness");
    assert.deepEqual(codes(log, logOf("healthy.host.txt")), ["IVM921 vm1 error"], "an earlier start");
  });

  it("takes a connection to istiod for recovery only if it lasts, and of the present run", () => {
    const log = logOf("IVM921.txt"); // 17:52:13
    const agent = (...lines: string[]): Log => {
      const text = lines.map((line, index) => `2026-11-23T17:5${index + 3}:00.000000Z\tinfo\t${line}`).join("\n");
      return { where: "vm1", writer: "host", text };
    };
    const connected = "xdsproxy\tconnected to delta upstream XDS server: istiod.istio-system.svc:15012\tid=1";
    const refused = "xdsproxy\tupstream terminated with unexpected error rpc error: code = PermissionDenied";
    const started = "Version 1.31.0-eed52ebb-unknown-Clean";
    assert.deepEqual(codes(log, agent(connected)), ["IVM921 vm1 past"]);
    assert.deepEqual(codes(log, agent(connected, refused)), ["IVM921 vm1 error"]);
    assert.deepEqual(codes(log, agent(connected, refused, connected)), ["IVM921 vm1 past"]);
    assert.deepEqual(codes(log, agent(connected, started)), ["IVM921 vm1 error"]);
  });

  it("holds what istiod has no part in for past only after a new start", () => {
    const log = logOf("IVM934.agent.txt"); // 17:56:11
    const started = (time: string) => ({
      where: "vm1",
      text: `2026-11-23T${time}Z\tinfo\tVersion 1.31.0\n${ready("57:10").text}`,
    });
    assert.deepEqual(codes(log, started("17:56:10")), ["IVM934 vm1 error"]);
    assert.deepEqual(codes(log, started("17:57:00")), ["IVM934 vm1 past"]);
    assert.deepEqual(codes(log, ready("57:10")), ["IVM934 vm1 error"], "nobody knows when it was started");
  });

  it("holds a failure of the start script for past once the agent was started", () => {
    const agent = (time: string) => ({ where: "vm1", text: `2026-11-23T${time}Z\tinfo\tVersion 1.31.0` });
    assert.deepEqual(codes(logOf("IVM932.txt"), agent("17:54:45")), ["IVM932 vm1 past"]);
    assert.deepEqual(codes(logOf("IVM932.txt"), agent("17:54:44")), ["IVM932 vm1 error"]);
  });

  it("asks only the hosts that say the same as istiod whether it is over", () => {
    const istiod = { ...logOf("IVM912.istiod.txt"), where: "istiod-1" }; // until 18:08:36
    const vm2 = { ...logOf("IVM921.txt"), where: "vm2" };
    const recovered = { where: "vm1", text: "2026-11-23T18:09:00Z\tinfo\tEnvoy proxy is ready" };
    assert.deepEqual(codes(istiod, logOf("IVM912.token.txt"), vm2, recovered), [
      "IVM921 vm2 error",
      "IVM912 istiod-1 past",
      "IVM912 vm1 past",
    ]);
    assert.deepEqual(codes(istiod, logOf("IVM912.token.txt"), vm2).length, 3);
    assert.deepEqual(codes(istiod, vm2, recovered), ["IVM912 istiod-1 error", "IVM921 vm2 error"]);
  });

  it("knows what is past of what istiod says: every host became ready after it", () => {
    const log = { ...logOf("IVM911.istiod.txt"), where: "istiod-1" }; // 17:50:30, 17:53:25
    assert.deepEqual(codes(log, ready("54:00"), ready("55:00", "vm2")), ["IVM911 istiod-1 past"]);
    assert.deepEqual(codes(log, ready("54:00"), ready("51:00", "vm2")), ["IVM911 istiod-1 error"]);
    assert.deepEqual(codes(log), ["IVM911 istiod-1 error"]);
  });

  it("does not name what follows from a known cause, unless that is over", () => {
    const istiod = { ...logOf("IVM901.cacerts.txt"), where: "istiod-1" };
    const refused = logOf("IVM921.txt");
    assert.deepEqual(codes(istiod, refused), ["IVM901 istiod-1 error"]);
    const started = { where: "istiod-1", text: "2026-11-23T18:10:00Z\tinfo\tstarting secure gRPC discovery service" };
    assert.deepEqual(codes(istiod, started, refused), ["IVM921 vm1 error", "IVM901 istiod-1 past"]);
    const elsewhere = { ...logOf("IVM902.workload.txt"), where: "vm2" };
    assert.deepEqual(codes(elsewhere, logOf("IVM912.nothing.txt")), ["IVM902 vm2 error", "IVM912 vm1 error"]);
  });

  it("reads what a host writes not as istiod's, and the other way round", () => {
    assert.deepEqual(codes({ ...logOf("IVM912.istiod.txt"), writer: "host" }), []);
    assert.deepEqual(codes({ ...logOf("IVM945.txt"), writer: "istiod" }), []);
  });

  it("docs/causes.md is up to date", () => {
    assert.equal(
      readFileSync(join(repository, "docs", "causes.md"), "utf8"),
      renderCauses(),
      "docs/causes.md is out of date: npm run docs",
    );
  });
});

describe("diagnosis/causes/logLine", () => {
  it("reads the times of istiod, agent, Envoy, access log and journal", () => {
    const time = "2026-11-23T17:52:13.523Z";
    const is = (line: string, expected?: string) => assert.equal(timeOf(line)?.toISOString(), expected, line);
    is("2026-11-23T17:52:13.523573Z\terror\tcitadelclient\tx", time);
    is("[2026-11-23 17:52:13.523][12][warning][config] x", time);
    is('[2026-11-23T17:52:13.523Z] "GET / HTTP/1.1" 200', time);
    is("2026-11-23T19:52:13+0200 vm2 systemd[1]: x", "2026-11-23T17:52:13.000Z");
    is("Nov 23 17:52:13 vm1 istio-start.sh[743]: 2026-11-23T17:52:13.523573Z        error", time);
    is("*nat");
    is(`Error: failed to create CA KeyCertBundle (cannot verify the cert): current time ${time} is before`);
  });

  it("gives a line without a time that of the line before", () => {
    const times = linesOf("a\n2026-11-23T17:52:13Z b\n\n  c\r\n2026-11-23T17:52:14Z d").map(({ text, at }) => [
      text.at(-1),
      at?.getUTCSeconds(),
    ]);
    assert.deepEqual(times, [
      ["a", undefined],
      ["b", 13],
      ["c", 13],
      ["d", 14],
    ]);
  });

  it("removes what looks like a key or a token", () => {
    const base64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for (const secret of [
      `x ${base64} y`,
      `-----BEGIN EC PRIVATE KEY-----${base64}-----END EC PRIVATE KEY-----`,
      `authorization: Bearer ${base64.slice(0, 20)}`,
      `GET /?access_token=${base64.slice(0, 12)}&x=1`,
      `token eyJhbGciOiJSUzI1NiJ9.${base64.slice(0, 30)}.${base64.slice(0, 30)}`,
    ]) {
      assert.doesNotMatch(redact(secret), new RegExp(base64.slice(0, 12)), secret);
    }
    const lines = linesOf(`a\n-----BEGIN PRIVATE KEY-----\n${base64}\nQ5c=\n-----END PRIVATE KEY-----\nb`);
    assert.deepEqual(
      lines.map(({ text }) => text),
      ["a", "[PEM removed]", "b"],
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 48, maxLength: 200 }), fc.lorem(), (bytes, words) => {
        const key = Buffer.from(bytes).toString("base64");
        fc.pre(/[a-z]/.test(key) && /[A-Z]/.test(key) && /\d/.test(key));
        assert.ok(!redact(`${words} "${key}", ${words}`).includes(key.slice(4, 24)));
      }),
    );
  });

  it("leaves ordinary lines as they are", () => {
    // istiod prints its certificates when it starts.
    const ordinary = fixtures.flatMap(({ log }) => log.text.split("\n")).filter((line) => timeOf(line) !== undefined);
    assert.ok(ordinary.length > 300);
    assert.equal(redact(ordinary.join("\n")), ordinary.join("\n"));
  });
});
