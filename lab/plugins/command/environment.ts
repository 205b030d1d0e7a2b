/** Environment variables over SSH, with an answer from the server. */
import type { Client } from "ssh2";

/** The private parts of ssh2 1.17 that this needs. */
interface Internals {
  _protocol: {
    env(channel: number, name: string, value: string, wantReply: boolean): void;
    exec(channel: number, command: string, wantReply: boolean): void;
  };
  _chanMgr: { _channels: Record<string, { _callbacks: ((failed: boolean | Error) => void)[] }> };
}

/**
 * ssh2 sends environment variables without asking whether the server takes them. Go's ssh asks for each, and the real
 * provider runs nothing if one that the user gave is refused. This makes ssh2 do the same, for the only command that
 * this client runs: `refused` is called with a name that the server did not take, and the error that it returns, if
 * any, becomes that of `client.exec`.
 */
export function requireEnvironment(client: Client, refused: (name: string) => Error | undefined): void {
  const { _protocol: protocol, _chanMgr: manager } = client as unknown as Internals;
  const { env, exec } = { env: protocol.env.bind(protocol), exec: protocol.exec.bind(protocol) };
  const callbacks = () => Object.values(manager._channels)[0]!._callbacks;
  const answers: Promise<Error | undefined>[] = [];

  protocol.env = (channel, name, value) => {
    answers.push(new Promise((answer) => callbacks().push((failed) => answer(failed ? refused(name) : undefined))));
    env(channel, name, value, true);
  };
  protocol.exec = (channel, command) => {
    void Promise.all(answers).then((errors) => {
      const error = errors.find((found) => found);
      if (error) callbacks().shift()!(error);
      else exec(channel, command, true);
    });
  };
}
