// Node's http: one thread, a keep-alive agent with few sockets, Promise.all.
// Usage: server.mjs PORT; see ../README.md for what it is told to do.
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const KINDS = { now: 0, job: 1, after: 2, timer: 3 };
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const jobs = [];
let counter = 0;
let working = false;

const parse = (plan) =>
  plan.split(",").filter(Boolean).map((text) => {
    const [, chance, when, work] = /^(?:(\d+)\?)?(?:(\w+):)?(.+)$/.exec(text);
    const branches = work.split("|").map((branch) => branch.split("+"));
    return { chance: Number(chance ?? 100), when: when ?? "now", branches };
  });

const pairs = (text) => text.split(";").filter(Boolean).map((pair) => pair.split(/=(.*)/s, 2));
const backends = new Map(pairs(process.env.BACKENDS ?? ""));
const routes = new Map(pairs(process.env.ROUTES ?? "").map(([name, plan]) => [name, parse(plan)]));
const timer = parse(process.env.TIMER ?? "");

const chosen = (plan) => plan.filter((step) => Math.random() * 100 < step.chance);
const anyRoute = () => [...routes.values()][Math.floor(Math.random() * routes.size)];

function target(request, backend, when) {
  const id = (((process.pid % 4096) << 20) | (++counter << 2) | KINDS[when]) >>> 0;
  const parent = Math.imul(request.id, 2654435761) >>> 0;
  const order = request.order ? `&order=${request.order}` : "";
  return `http://${backends.get(backend)}?id=${id}&parent=${parent}${order}`;
}

function call(url) {
  return new Promise((resolve) => {
    const request = http.get(url, { agent }, (response) => {
      response.resume();
      response.on("end", resolve);
      response.on("error", resolve);
    });
    request.on("error", resolve);
  });
}

async function runBranch(request, branch, when) {
  for (const act of branch) {
    const [, letter, amount] = /^([tc])([\d.]+)$/.exec(act) ?? [];
    if (letter === "t") {
      await sleep(amount * (0.5 + Math.random()));
    } else if (letter === "c") {
      const end = performance.now() + Number(amount);
      while (performance.now() < end);
    } else {
      await call(target(request, act, when));
    }
  }
}

function run(request, step, when) {
  return Promise.all(step.branches.map((branch) => runBranch(request, branch, when)));
}

async function handle(incoming, response) {
  const url = new URL(incoming.url, "http://localhost");
  const request = {
    id: Number(url.searchParams.get("id")),
    order: url.searchParams.get("order"),
  };
  const steps = chosen(routes.get(url.pathname.slice(1)) ?? anyRoute());
  for (const step of steps) {
    if (step.when === "job") {
      jobs.push([request, step]);
      setImmediate(work);
    } else if (step.when === "now") {
      await run(request, step, "now");
    }
  }
  response.end("done\n");
  for (const step of steps.filter(({ when }) => when === "after")) {
    await run(request, step, "after");
  }
}

async function work() {
  if (working) return;
  working = true;
  while (jobs.length) {
    const [request, step] = jobs.shift();
    await run(request, step, "job");
  }
  working = false;
}

async function tick() {
  while (timer.length) {
    await sleep(50 + Math.random() * 100);
    for (const step of chosen(timer)) {
      await run({ id: 0 }, step, "timer");
    }
  }
}

http.createServer(handle).listen(Number(process.argv[2]), "127.0.0.1");
tick();
