/** A request that is answered when the test says so. */
import { until } from "../../../lab/run";
import { askFromPod } from "../mesh";
import type { Site } from "./site";

const GO = "/run/e2e-go";
const UNIT = "e2e-slow";

/** It answers on port 8081 when somebody has opened the FIFO. */
const SERVER = `
from http.server import BaseHTTPRequestHandler, HTTPServer

class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        open("${GO}").read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"late, but whole")

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
    const listens = (state: string) => async () => (await site.sh(name, `ss -Htn state ${state} sport = 8081`)) !== "";
    await until(`the slow server of ${name}`, 10, listens("listening"));
    const answer = askFromPod(`http://slow-${name}.vm.svc.cluster.local:8081`, 120).then(
      ({ page }) => page,
      (error: Error) => error.message,
    );
    await until(`${name} to be asked`, 20, listens("established"));
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
