// Node's http client: one connection after the other, as a plan tells.
// Usage: client.mjs PORT RECORD PLAN
import fs from "node:fs";
import http from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const [port, record, planFile] = process.argv.slice(2);

async function exchange(plan, connection, agent, dribble) {
  const headers = { "x-plan": JSON.stringify(plan.answer) };
  const total = plan.pieces.reduce((a, b) => a + b, 0);
  if (plan.framing === "length") headers["content-length"] = total;
  if (plan.framing === "chunked") headers["transfer-encoding"] = "chunked";
  if (plan.expect) headers.expect = "100-continue";
  if (plan.header) headers["x-fill"] = "f".repeat(plan.header);
  const { method, target } = plan;
  const request = http.request({ port, path: target, method, headers, agent, host: "127.0.0.1" });
  const answered = once(request, "response");
  if (plan.expect) {
    request.flushHeaders();
    await once(request, "continue");
  }
  for (const [index, size] of plan.pieces.entries()) {
    request.write(String(index % 10).repeat(size));
    if (dribble) await sleep(1);
  }
  if (plan.framing === "chunked" && plan.trailers) request.addTrailers({ "X-Trailer": "at last" });
  request.end();
  const [response] = await answered;
  let received = 0;
  for await (const data of response) received += data.length;
  fs.appendFileSync(record, JSON.stringify({
    side: "client",
    connection,
    method,
    target,
    version: "1.1",
    status: response.statusCode,
    request_body: total,
    response_body: received,
  }) + "\n");
}

for (const [number, connection] of JSON.parse(fs.readFileSync(planFile)).entries()) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const plan of connection.exchanges) await exchange(plan, number, agent, connection.dribble);
  agent.destroy();
}
