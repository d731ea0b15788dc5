// Node's http server: answers as the request's X-Plan header tells.
// Usage: server.mjs PORT RECORD
import fs from "node:fs";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [port, record] = process.argv.slice(2);

async function answer(request, response) {
  let received = 0;
  for await (const data of request) received += data.length;
  const plan = JSON.parse(request.headers["x-plan"]);
  if (request.httpVersion === "1.1") {
    for (const _ of plan.interim) response.writeEarlyHints({ link: "</style.css>; rel=preload" });
  }
  const headers = { server: "node" };
  if (plan.framing === "length") headers["content-length"] = plan.pieces.reduce((a, b) => a + b, 0);
  if (plan.framing === "chunked" && request.httpVersion === "1.1") {
    headers["transfer-encoding"] = "chunked";
    if (plan.trailers) headers.trailer = "X-Trailer";
  }
  if (plan.header) headers["x-fill"] = "f".repeat(plan.header);
  response.writeHead(plan.status, plan.reason, headers);
  const bodiless = request.method === "HEAD" || [204, 304].includes(plan.status);
  let sent = 0;
  for (const [index, size] of bodiless ? [] : plan.pieces.entries()) {
    response.write(String(index % 10).repeat(size));
    sent += size;
    if (plan.dribble) await sleep(1);
  }
  if (!bodiless && headers.trailer) response.addTrailers({ "X-Trailer": "at last" });
  response.end();
  fs.appendFileSync(record, JSON.stringify({
    side: "server",
    method: request.method,
    target: request.url,
    version: request.httpVersion,
    status: plan.status,
    request_body: received,
    response_body: sent,
  }) + "\n");
}

const server = http.createServer({ maxHeaderSize: 1 << 17 }, answer);
server.listen(Number(port), "127.0.0.1");
