// HTTP/2 and nothing else, through the proxy of the environment: what gRPC clients do. Three requests on one connection.
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";

const stream = process.argv[2];
const proxy = new URL(process.env.HTTPS_PROXY);
const tunnel = await new Promise((done, failed) =>
  http
    .request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: "modern.test:443" })
    .on("connect", (_, socket) => done(socket))
    .on("error", failed)
    .end(),
);
const secure = tls.connect({ socket: tunnel, servername: "modern.test", ALPNProtocols: ["h2"] });
const session = http2.connect("https://modern.test", { createConnection: () => secure });

const ask = async (headers, heard = () => {}) => {
  const request = session.request(headers);
  const said = { status: undefined, text: "" };
  request.on("response", (fields) => (said.status = fields[":status"]));
  request.setEncoding("utf8");
  for await (const piece of request) {
    said.text += piece;
    await heard(piece);
  }
  return said;
};

const arrived = () => ask({ ":path": `/ack/${stream}` });
console.log(JSON.stringify([
  await ask({ ":path": "/plain" }),
  await ask({ ":path": "/x", ":method": "DELETE" }),
  await ask({ ":path": `/events?stream=${stream}` }, arrived),
]));
session.close();
