// The stock: an event loop that asks the warehouse over connections it keeps open.
// Nothing here knows of tracing.
import http from "node:http";

const warehouse = Number(process.env.WAREHOUSE_PORT);
const agent = new http.Agent({ keepAlive: true });

function ask(path) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port: warehouse, path, agent }, (response) => {
        let text = "";
        response.on("data", (piece) => (text += piece));
        response.on("end", () => resolve(JSON.parse(text)));
      })
      .on("error", reject);
  });
}

http
  .createServer(async (request, response) => {
    for await (const _ of request); // the body
    const product = request.url.split("/").pop();
    const shelf = await ask(request.method === "POST" ? "/take" : `/shelf/${product}`);
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ product, ...shelf }));
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
