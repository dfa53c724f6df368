// node workos.mjs '{"seed":{…}}': WorkOS's own emulator on a free port of 127.0.0.1.

import { once } from "node:events";
import { createServer, Server } from "node:net";
import { createEmulator } from "workos/emulate";

import { options, ready } from "./lifeline.mjs";

// It would listen on every interface, and has no option for that. With a host, `listen` has no address at once, which the
// emulator looks for where it is given port 0: so it gets a port that was free a moment ago.
const listen = Server.prototype.listen;
let listening;
async function start(seed) {
  const probe = listen.call(createServer(), 0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));

  Server.prototype.listen = function (port) {
    const server = listen.call(this, port, "127.0.0.1");
    listening = once(server, "listening");
    return server;
  };
  const emulator = await createEmulator({ port, seed });
  await listening; // fails if the port is taken
  return emulator;
}

const { seed } = options();
let emulator;
for (let tries = 5; emulator === undefined; tries--) {
  emulator = await start(seed).catch((error) => {
    if (tries === 1) throw error;
  });
}
ready({ url: emulator.url, api_key: emulator.apiKey });
