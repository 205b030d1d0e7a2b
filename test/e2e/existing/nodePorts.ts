/** Which node ports answer. */
import { connect } from "node:net";

const FIRST = 30000;
const LAST = 32767;
const AT_ONCE = 200;

/** Connects to every node port of an address. Returns those that accept, in ascending order. */
export async function answeringNodePorts(address: string): Promise<number[]> {
  const ports = Array.from({ length: LAST - FIRST + 1 }, (_, index) => FIRST + index);
  const answering: number[] = [];
  const worker = async () => {
    for (let port = ports.shift(); port !== undefined; port = ports.shift()) {
      if (await accepts(address, port)) answering.push(port);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answering.sort((a, b) => a - b);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 10_000 });
    const end = (answer: boolean) => (socket.destroy(), resolve(answer));
    socket.on("connect", () => end(true));
    socket.on("timeout", () => reject(new Error(`${host}:${port} neither accepts nor refuses`)));
    socket.on("error", ({ code, message }: NodeJS.ErrnoException) =>
      code === "ECONNREFUSED" ? end(false) : reject(new Error(`${host}:${port}: ${message}`)),
    );
  });
}
