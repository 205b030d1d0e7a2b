/** A request that is answered when the test says so. */
import { until } from "../../../lab/run";
import { askFromPod, untilPodSees } from "../mesh";
import type { Site as EndingSite } from "./site";

/** Where it is: a lab's machine on which scripts can be run. */
type Site = Pick<EndingSite, "sh">;

const GO = "/run/e2e-go";
const UNIT = "e2e-slow";
export const ANSWER = "late, but whole";

/** On port 8081; it answers /slow when somebody has opened the FIFO. */
const SERVER = `
from http.server import BaseHTTPRequestHandler, HTTPServer

class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            open("${GO}").read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"${ANSWER}")

HTTPServer(("", 8081), Slow).serve_forever()
`;

/** A request of the sample pod to a host that is under way. */
export class SlowRequest {
  private constructor(
    private readonly site: Site,
    private readonly name: string,
    /** What it came to: the page, or what kept it from coming. */
    readonly answer: Promise<string>,
  ) {}

  static async begin(site: Site, name: string): Promise<SlowRequest> {
    await site.sh(name, `mkfifo ${GO}; systemd-run --quiet --unit=${UNIT} python3 -c '${SERVER}'`);
    const url = `http://slow-${name}.vm.svc.cluster.local:8081`;
    await untilPodSees(`the slow service of ${name}`, ({ page }) => page === ANSWER, url);
    const answer = askFromPod(`${url}/slow`, 120).then(
      ({ page }) => page,
      (error: Error) => error.message,
    );
    const connections = () => site.sh(name, "ss -Htn state established sport = 8081");
    await until(`${name} to be asked`, 20, async () => (await connections()) !== "");
    return new SlowRequest(site, name, answer);
  }

  /** Lets it be answered, if it is there still. */
  async finish(): Promise<void> {
    await this.site.sh(this.name, `timeout 5 sh -c 'echo >${GO}' || :`);
  }

  /** Leaves nothing on the machine. */
  async end(): Promise<void> {
    await this.site.sh(this.name, `systemctl stop ${UNIT} || :; rm -f ${GO}`);
  }
}
