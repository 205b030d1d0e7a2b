import assert from "node:assert/strict";
import { type Lab } from "../../lab/paths";
import { until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { admittingOnly } from "../e2e/directions/admitting";
import { installDebs, unpackDebs } from "../support/debs";
import { echoInPod, type Place } from "../support/echo";
import type { Example, Row } from "./example";

/** Where pods find a client of MariaDB. */
const CLIENT = "/opt/mariadb";
const LIBRARIES = ["lib", "usr/lib"].map((folder) => `${CLIENT}/${folder}/x86_64-linux-gnu`).join(":");
const PODS = ["app", "stranger"];

/** What a pod's client prints, or why it can't. */
const query = (from: Place, text: string) =>
  from
    .run([
      ...["env", `LD_LIBRARY_PATH=${LIBRARIES}`, `${CLIENT}/usr/bin/mariadb`],
      ...["--no-defaults", "--connect-timeout=5", "--host=mysql.db", "--user=app", "--password=app", "--batch"],
      ...["--skip-column-names", `--execute=${text}`],
    ])
    .catch(({ message }: Error) => message);

async function untilSaid(what: string, from: Place, wanted: RegExp): Promise<string> {
  let said = "";
  await until(
    what,
    20,
    async () => wanted.test((said = await query(from, "select 1"))),
    () => said,
  );
  return wanted.exec(said)![0];
}

/** A MariaDB on a VM, where the server speaks first, asked by pods at its own port, 3306, by name and by identity. */
export const database: Example = {
  vms: ["vm1"],
  pods: PODS,
  data: "/var/lib/mysql",
  async prepare(lab: Lab) {
    await unpackDebs(lab, "mariadb-client", CLIENT);
    await installDebs(lab, "vm1", "mariadb-server");
    await vmExec(lab, "vm1", [
      ...["sh", "-euc"],
      `printf '[mariadb]\\nbind-address=0.0.0.0\\nskip-name-resolve\\n' >/etc/mysql/mariadb.conf.d/99-lab.cnf
      systemctl restart mariadb
      mariadb -e "create user app@'%' identified by 'app'; create database app; grant all on app.* to app@'%'"`,
    ]);
  },
  async show(lab): Promise<Row[]> {
    const [app, stranger] = await Promise.all(
      PODS.map((name) => echoInPod(lab, name, "default", { mounts: [CLIENT] })),
    );
    await untilSaid("the database to answer", app!, /^1\n$/);
    const said = await query(
      app!,
      "create or replace table app.t (n int); insert into app.t values (7); select n, @@hostname from app.t",
    );
    assert.equal(said, "7\tvm1\n");
    const rows: Row[] = [["pod app: mariadb --host=mysql.db", "7 from vm1"]];
    await admittingOnly("db", "mysql", "cluster.local/ns/default/sa/app", async () => {
      const refused = await untilSaid("another pod to be refused", stranger!, /ERROR 2013 .*Lost connection/);
      assert.equal(await query(app!, "select n from app.t"), "7\n");
      rows.push(["a policy admits app alone; pod stranger", refused], ["... and pod app", "7"]);
    });
    return rows;
  },
};
