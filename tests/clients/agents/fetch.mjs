// Make the calls of argv[2] with Node's own fetch. One JSON line a call.
for (const [method, url, body] of JSON.parse(process.argv[2])) {
  const said = { client: "fetch", call: `${method} ${url}` };
  try {
    const sent = body === null ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(url, { method, ...sent });
    Object.assign(said, { status: answer.status, reason: answer.statusText, text: await answer.text() });
  } catch (error) {
    Object.assign(said, { error: String(error), cause: String(error.cause) });
  }
  console.log(JSON.stringify(said));
}
