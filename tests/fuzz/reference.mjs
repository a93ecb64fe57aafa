// What Node reads of bytes: one stream a line in base64 on stdin; a JSON list of requests a line on stdout.
import http from "node:http";
import net from "node:net";
import readline from "node:readline";

let seen = [];
const server = http.createServer({ maxHeaderSize: 1 << 18 }, (request, response) => {
  const one = { method: request.method, target: request.url, headers: [], body: "" };
  for (let at = 0; at < request.rawHeaders.length; at += 2)
    one.headers.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
  seen.push(one);
  const body = [];
  request.on("data", (data) => body.push(data));
  request.on("end", () => {
    one.body = Buffer.concat(body).toString("base64");
    response.end("ok");
  });
});
server.on("upgrade", (request, socket) => {
  const headers = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2)
    headers.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
  seen.push({ method: request.method, target: request.url, headers, body: "" });
  socket.end();
});
server.on("clientError", (error, socket) => {
  seen.push({ error: error.code });
  socket.destroy();
});
server.maxHeadersCount = 0;

async function read(data) {
  seen = [];
  await new Promise((resolve) => {
    const socket = net.connect(server.address().port, "127.0.0.1", () => socket.end(data));
    socket.on("error", () => {});
    socket.on("close", resolve);
    socket.resume();
  });
  return seen;
}

server.listen(0, "127.0.0.1", async () => {
  for await (const line of readline.createInterface({ input: process.stdin }))
    process.stdout.write(JSON.stringify(await read(Buffer.from(line, "base64"))) + "\n");
  process.exit(0);
});
