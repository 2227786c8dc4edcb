// A page in Chromium reads the development chain by fetch and WebSocket, as far as its `--cors` lets it.
//
//   node run.mjs DEVNET CHROMIUM        the two programs
//
// The page comes from a server on another port, so to the chain it is a foreign origin. It sends a transaction and waits
// for a head; what it saw it posts back. A line a check.

import { spawn } from "node:child_process";
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [devnetProgram, chromium] = process.argv.slice(2);
if (!chromium) {
  console.error("usage: node run.mjs DEVNET CHROMIUM");
  process.exit(2);
}
const PATIENCE = 60_000;

const page = readFileSync(new URL("page.html", import.meta.url));
const waiting = new Map();
const server = createServer((request, response) => {
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html");
    response.end(page);
    return;
  }
  let body = "";
  request.on("data", (data) => (body += data));
  request.on("end", () => {
    response.end();
    waiting.get(new URL(request.url, "http://page").searchParams.get("run"))?.(JSON.parse(body));
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const port = server.address().port;

function devnet(cors) {
  const child = spawn(devnetProgram, ["--port", "0", "--json", "--cors", cors], { stdio: ["ignore", "pipe", "inherit"] });
  const said = new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      if (text.includes("\n")) resolve(JSON.parse(text));
    });
    child.on("exit", (code) => reject(new Error(`the devnet ended with ${code}`)));
  });
  return { child, said };
}

async function visit(run, host, chain) {
  const query = new URLSearchParams({ run, rpc: chain.rpc_url, ws: chain.ws_url });
  const profile = mkdtempSync(join(tmpdir(), "page-"));
  const browser = spawn(
    chromium,
    ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", `--user-data-dir=${profile}`, `http://${host}:${port}/?${query}`],
    { stdio: "ignore" },
  );
  try {
    return await new Promise((resolve, reject) => {
      waiting.set(run, resolve);
      browser.on("exit", (code) => reject(new Error(`${chromium} ended with ${code}`)));
      setTimeout(() => reject(new Error("the page reports nothing")), PATIENCE).unref();
    });
  } finally {
    const ended = new Promise((resolve) => browser.once("exit", resolve));
    browser.kill();
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

let [passed, failed] = [0, 0];
function check(name, right, found) {
  if (right) passed++;
  else failed++;
  console.log(right ? `ok      ${name}` : `FAILED  ${name}: ${JSON.stringify(found)}`);
}

const allowed = (report) =>
  report.fetch.chainId === "0x64aba" && report.fetch.status === "0x1" && report.socket.head === "0x2";
const refused = (report) => Boolean(report.fetch.error && report.socket.error);
let run = 0;
for (const [cors, host, name, right] of [
  ["*", "127.0.0.1", "any page reads and writes by fetch and WebSocket", allowed],
  [`http://127.0.0.1:${port}`, "127.0.0.1", "a page of the named origin does", allowed],
  [`http://127.0.0.1:${port}`, "localhost", "a page of another origin does neither", refused],
  ["off", "127.0.0.1", "no page does if cors is off", refused],
]) {
  const { child, said } = devnet(cors);
  try {
    const report = await visit(String(++run), host, await said);
    check(name, right(report), report);
  } catch (error) {
    check(name, false, error.message);
  } finally {
    child.kill("SIGINT");
  }
}
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
