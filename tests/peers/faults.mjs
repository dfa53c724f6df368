// What a server in trouble does in place of its answer. Each takes (request, response, settings, serve), where `serve` gives
// the true answer.

const HUGE = 50 * 1024 * 1024;

export const FAULTS = {
  none: (request, response, settings, serve) => serve(request, response),

  slow: (request, response, { milliseconds }, serve) => {
    const waiting = setTimeout(() => serve(request, response), milliseconds);
    response.on("close", () => clearTimeout(waiting));
  },

  hang: () => {},

  drop: (request) => request.socket.destroy(),

  status: (request, response, { status }) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end('{"error":"server_error"}');
  },

  html: (request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end("<!DOCTYPE html><title>Down for maintenance</title><p>We will be back soon.");
  },

  redirect: (request, response, { to }) => {
    response.writeHead(302, { location: to });
    response.end();
  },

  body: (request, response, { body }) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(body);
  },

  // Half of what it announces.
  cut: (request, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"keys":[', () => request.socket.destroy());
  },

  // Valid JSON of any size, as fast as it is taken.
  huge: (request, response, { bytes = HUGE }) => {
    response.writeHead(200, { "content-type": "application/json" });
    const blanks = " ".repeat(64 * 1024);
    let left = bytes;
    response.write('{"keys":[');
    const more = () => {
      while (left > 0 && !response.destroyed) {
        left -= blanks.length;
        if (!response.write(blanks)) return response.once("drain", more);
      }
      return response.end("]}");
    };
    more();
  },
};
