// Read https://download.test/events with fetch, acknowledging each event before the next is sent.
const stream = process.argv[2];
const answer = await fetch(`https://download.test/events?stream=${stream}`);
const events = [];
let text = "";
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  text += piece;
  for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
    events.push(text.slice(0, end).split("data: ")[1]);
    await (await fetch(`https://acks.test/${stream}`)).text();
  }
}
console.log(JSON.stringify(events));
