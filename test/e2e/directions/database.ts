import assert from "node:assert/strict";
import { until } from "../../../lab/run";
import { vmExec } from "../../../lab/vm";
import { installDebs } from "../../support/debs";
import { admittingOnly } from "./admitting";
import { MARIADB, type Places } from "./places";

const LIBRARIES = ["lib", "usr/lib"].map((folder) => `${MARIADB}/${folder}/x86_64-linux-gnu`).join(":");

/** A MariaDB on a VM, where the server speaks first, asked by pods at its own port, 3306. */
export function database(places: Places) {
  /** What a pod's client prints, or why it can't. */
  const query = (from: string, text: string) =>
    places
      .place(from)
      .run([
        ...["env", `LD_LIBRARY_PATH=${LIBRARIES}`, `${MARIADB}/usr/bin/mariadb`],
        ...["--no-defaults", "--connect-timeout=5", "--host=mysql.vm", "--user=app", "--password=app", "--batch"],
        ...["--skip-column-names", `--execute=${text}`],
      ])
      .catch(({ message }: Error) => message);
  const until20 = (what: string, from: string, wanted: RegExp) => {
    let said = "";
    return until(
      what,
      20,
      async () => wanted.test((said = await query(from, "select 1"))),
      () => said,
    );
  };

  before(async () => {
    await installDebs(places.lab, "vm3", "mariadb-server");
    await vmExec(places.lab, "vm3", [
      ...["sh", "-euc"],
      `printf '[mariadb]\\nbind-address=0.0.0.0\\nskip-name-resolve\\n' >/etc/mysql/mariadb.conf.d/99-test.cnf
      systemctl restart mariadb
      mariadb -e "create user app@'%' identified by 'app'; create database app; grant all on app.* to app@'%'"`,
    ]);
  });

  it("is asked by the service's name", async () => {
    await until20("the database to answer", "pod", /^1\n$/);
    const said = await query(
      "pod",
      "create table app.t (n int); insert into app.t values (7); select n, @@hostname from app.t",
    );
    assert.equal(said, "7\tvm3\n");
  });

  it("is refused to who is not the one that a policy lets in", () =>
    admittingOnly("vm", "vm3", "cluster.local/ns/default/sa/pod", async () => {
      await until20("another pod to be refused", "stranger", /ERROR 2013 .*Lost connection/);
      assert.equal(await query("pod", "select n from app.t"), "7\n");
    }));
}
