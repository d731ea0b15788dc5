// Answers /status/NNN with that status, anything else with 200.
// Usage: backend.mjs PORT
import http from "node:http";

const server = http.createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    const match = /^\/status\/(\d{3})/.exec(request.url);
    response.writeHead(match ? Number(match[1]) : 200, { "Content-Type": "text/plain" });
    response.end("hello from node\n");
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
