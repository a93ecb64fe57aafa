// What Node's users have installed, through the proxy of the environment: undici, ws, Node's own WebSocket and gRPC.
// argv: a prefix for streams, then what to do. One JSON line each.
import { createHash } from "node:crypto";
import { credentials, Client, status } from "@grpc/grpc-js";
import { HttpsProxyAgent } from "https-proxy-agent";
import { EnvHttpProxyAgent, fetch as undiciFetch } from "undici";
import { WebSocket as Ws } from "ws";

const [prefix, ...wanted] = process.argv.slice(2);
const agent = new HttpsProxyAgent(process.env.HTTPS_PROXY);
const once = (thing, event) => new Promise((done) => thing.once(event, (...said) => done(said)));

async function undici() {
  const dispatcher = new EnvHttpProxyAgent();
  const piece = Buffer.alloc(100_000, "x");
  async function* pieces() {
    for (let at = 0; at < 40; at++) yield piece;
  }
  const sent = { method: "POST", body: pieces(), duplex: "half", dispatcher };
  const digest = await (await undiciFetch("https://download.test/digest", sent)).text();
  const stream = `${prefix}-undici`, heard = [];
  const answer = await undiciFetch(`https://download.test/events?stream=${stream}`, { dispatcher });
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    heard.push(...text.match(/event \d+/g));
    await (await undiciFetch(`https://download.test/ack/${stream}`, { dispatcher })).text();
  }
  const left = new AbortController();
  const endless = await undiciFetch(`https://download.test/endless?stream=${stream}-left`, { dispatcher, signal: left.signal });
  await endless.body.getReader().read();
  left.abort();
  const freed = await undiciFetch(`https://download.test/freed?stream=${stream}-left`, { dispatcher });
  const whole = createHash("sha256").update(Buffer.alloc(4_000_000, "x")).digest("hex");
  return [digest === whole, heard.length, freed.status];
}

async function ws() {
  const socket = new Ws("wss://echo.test/open", { agent });
  await once(socket, "open");
  const heard = [];
  for (const said of ["one", Buffer.alloc(3_000_000, 7), "naïve ✓"]) {
    socket.send(said);
    const [back] = await once(socket, "message");
    heard.push(back.equals(Buffer.from(said)));
  }
  socket.ping("there?");
  heard.push(String((await once(socket, "pong"))[0]));
  socket.close(4321, "enough");
  return [...heard, (await once(socket, "close"))[0]];
}

async function wsRefused() {
  const socket = new Ws("wss://echo.test/secret", { agent });
  const [, answer] = await once(socket, "unexpected-response");
  let text = "";
  for await (const piece of answer) text += piece;
  return [answer.statusCode, JSON.parse(text).message];
}

async function own() {
  const socket = new WebSocket("wss://echo.test/own");
  await new Promise((done, failed) => Object.assign(socket, { onopen: done, onerror: failed }));
  const back = new Promise((done) => (socket.onmessage = (event) => done(event.data)));
  socket.send("hello");
  const heard = await back;
  socket.close();
  return heard;
}

const bytes = (value) => value;
const path = (method) => `/acme.v1.Talk/${method}`;
const grpc = () => new Client("grpc.test:443", credentials.createSsl());
const unary = (client, method, sent, options = {}) =>
  new Promise((done, failed) =>
    client.makeUnaryRequest(path(method), bytes, bytes, Buffer.from(sent), options, (error, answer) =>
      error ? failed(error) : done(String(answer)),
    ),
  );

async function grpcCalls() {
  const client = grpc(), stream = `${prefix}-grpc`, heard = [];
  const said = await unary(client, "Say", "hello");
  for await (const event of client.makeServerStreamRequest(path("Count"), bytes, bytes, Buffer.from(stream))) {
    heard.push(String(event));
    await unary(client, "Ack", stream);
  }
  const chat = client.makeBidiStreamRequest(path("Chat"), bytes, bytes);
  const talked = [];
  chat.write(Buffer.from("0"));
  for await (const answer of chat) {
    talked.push(String(answer));
    talked.length < 10 ? chat.write(Buffer.from(`${talked.length}`)) : chat.end();
  }
  const late = await unary(client, "Hang", `${stream}-late`, { deadline: Date.now() + 500 }).catch((error) => status[error.code]);
  const freed = await unary(client, "Freed", `${stream}-late`);
  const endless = client.makeServerStreamRequest(path("Forever"), bytes, bytes, Buffer.from(`${stream}-left`));
  endless.on("error", () => {});
  await once(endless, "data");
  endless.cancel();
  const left = await unary(client, "Freed", `${stream}-left`);
  const failed = await unary(client, "Fail", "such thing").catch((error) => [status[error.code], error.details]);
  client.close();
  return { said, heard: heard.length, talked: talked.at(-1), late, freed, left, failed };
}

async function grpcRefused() {
  const client = grpc();
  const refused = await unary(client, "Say", "hello").catch((error) => [status[error.code], error.details]);
  client.close();
  return refused;
}

const all = { undici, ws, wsRefused, own, grpcCalls, grpcRefused };
for (const name of wanted) console.log(JSON.stringify(await all[name]()));
process.exit(0);
