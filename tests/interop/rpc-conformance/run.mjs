// Compares the answers of stylus-devnet with anvil's, method by method, and prints a table.
//
//   node run.mjs DEVNET ANVIL          the two programs
//
// Every method is asked the same question on both, after the same few transactions. Compared are result or error, the
// error's code, and the shape of the result: the names and kinds of its fields, to any depth. A difference must be in
// differences.json with its reason, and a reason without a difference is an error too.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const [devnetProgram, anvilProgram] = process.argv.slice(2);
if (!anvilProgram) {
  console.error("usage: node run.mjs DEVNET ANVIL");
  process.exit(2);
}

function start(program, args, pattern) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const url = new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const found = text.match(pattern);
      if (found) resolve(found[1].startsWith("http") ? found[1] : `http://${found[1]}`);
    });
    child.on("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
    setTimeout(() => reject(new Error(`${program} does not say where it listens`)), 20_000).unref();
  });
  return { child, url };
}

async function ask(url, method, params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return answer.json();
}

async function must(url, method, params) {
  const answer = await ask(url, method, params);
  if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
  return answer.result;
}

// Adds one and logs when called without data; returns its count for a word of data; reverts with any other.
const COUNTER =
  "0x6038600c60003960386000f3368015601657602014602c57366000600037366000fd5b600054600101806000556000" +
  "52602a60206000a1005b60005460005260206000f3";

async function prepare(url) {
  const [own, other] = await must(url, "eth_accounts", []);
  const send = async (tx) => {
    const hash = await must(url, "eth_sendTransaction", [{ from: own, ...tx }]);
    for (let tries = 0; tries < 200; tries++) {
      const receipt = await must(url, "eth_getTransactionReceipt", [hash]);
      if (receipt) return receipt;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`${hash} is not mined`);
  };
  const counter = (await send({ data: COUNTER })).contractAddress;
  const counted = await send({ to: counter });
  const block = await must(url, "eth_getBlockByNumber", ["latest", false]);
  const filter = await must(url, "eth_newFilter", [{ address: counter }]);
  return { own, other, counter, hash: counted.transactionHash, block: block.hash, filter };
}

const ZERO = "0x" + "0".repeat(64);
const WORD = "0x" + "0".repeat(64);
const typed = (own) => ({
  types: { EIP712Domain: [{ name: "name", type: "string" }], Note: [{ name: "text", type: "string" }] },
  primaryType: "Note",
  domain: { name: "conformance" },
  message: { text: own },
});

// Name, parameters, and a word for the table where a method is asked twice.
const questions = (at) => [
  ["web3_clientVersion", []], ["web3_sha3", ["0x01"]], ["net_version", []], ["net_listening", []], ["rpc_modules", []],
  ["eth_chainId", []], ["eth_blockNumber", []], ["eth_gasPrice", []], ["eth_maxPriorityFeePerGas", []],
  ["eth_blobBaseFee", []], ["eth_syncing", []], ["eth_accounts", []], ["eth_coinbase", []], ["eth_config", []],
  ["eth_feeHistory", ["0x2", "latest", [25, 75]]],
  ["eth_feeHistory", ["0x1", "latest", [101]], "bad percentile"],
  ["eth_getBalance", [at.own, "latest"]], ["eth_getTransactionCount", [at.own, "pending"]],
  ["eth_getCode", [at.counter, "latest"]], ["eth_getStorageAt", [at.counter, "0x0", "latest"]],
  ["eth_getProof", [at.counter, ["0x0"], "latest"]],
  ["eth_getBalance", [at.own, "0xffffff"], "no such block"],
  ["eth_getBlockByNumber", ["latest", false]], ["eth_getBlockByNumber", ["latest", true], "full"],
  ["eth_getBlockByNumber", ["0xffffff", false], "none"],
  ["eth_getBlockByHash", [at.block, false]], ["eth_getBlockTransactionCountByNumber", ["latest"]],
  ["eth_getBlockTransactionCountByHash", [at.block]], ["eth_getUncleCountByBlockNumber", ["latest"]],
  ["eth_getUncleCountByBlockHash", [at.block]], ["eth_getBlockReceipts", ["latest"]],
  ["eth_getTransactionByHash", [at.hash]], ["eth_getTransactionByHash", [ZERO], "none"],
  ["eth_getTransactionByBlockNumberAndIndex", ["latest", "0x0"]],
  ["eth_getTransactionByBlockHashAndIndex", [at.block, "0x0"]],
  ["eth_getTransactionReceipt", [at.hash]], ["eth_getTransactionReceipt", [ZERO], "none"],
  ["eth_call", [{ to: at.counter, data: WORD }, "latest"]],
  ["eth_call", [{ to: at.counter, data: "0x0102" }, "latest"], "revert"],
  ["eth_call", [{ from: at.own, to: at.counter, gasPrice: "0x1" }, "latest"], "price below base fee"],
  ["eth_estimateGas", [{ from: at.own, to: at.counter }]],
  ["eth_estimateGas", [{ from: at.own, to: at.counter, data: "0x0102" }], "revert"],
  ["eth_createAccessList", [{ from: at.own, to: at.counter }, "latest"]],
  ["eth_simulateV1", [{ blockStateCalls: [{ calls: [{ from: at.own, to: at.other, value: "0x1" }] }] }, "latest"]],
  ["eth_fillTransaction", [{ from: at.own, to: at.other, value: "0x1" }]],
  ["eth_sign", [at.own, "0x01"]], ["personal_sign", ["0x01", at.own]], ["eth_signTypedData_v4", [at.own, typed(at.own)]],
  ["eth_signTransaction", [{ from: at.own, to: at.other, value: "0x1", gas: "0x5208" }]],
  ["eth_sendRawTransaction", ["0x01"], "garbage"], ["eth_sendRawTransactionSync", ["0x01"], "garbage"],
  ["eth_sendTransaction", [{ from: at.own, to: at.other, value: "0x1" }]],
  ["eth_sendTransaction", [{ from: at.counter, to: at.other, value: "0x0" }], "no signer"],
  ["eth_getLogs", [{ fromBlock: "0x0" }]], ["eth_getLogs", [{ fromBlock: "0x2", toBlock: "0x1" }], "bad range"],
  ["eth_newFilter", [{}]], ["eth_newBlockFilter", []], ["eth_newPendingTransactionFilter", []],
  ["eth_getFilterChanges", [at.filter]], ["eth_getFilterLogs", [at.filter]], ["eth_uninstallFilter", [at.filter]],
  ["eth_getFilterChanges", ["0xabcdef"], "none"],
  ["debug_traceTransaction", [at.hash, {}]],
  ["debug_traceTransaction", [at.hash, { tracer: "callTracer", tracerConfig: { withLog: true } }], "callTracer"],
  ["debug_traceTransaction", [at.hash, { tracer: "prestateTracer" }], "prestateTracer"],
  ["debug_traceTransaction", [at.hash, { tracer: "prestateTracer", tracerConfig: { diffMode: true } }], "diff"],
  ["debug_traceTransaction", [at.hash, { tracer: "4byteTracer" }], "4byteTracer"],
  ["debug_traceTransaction", [at.hash, { tracer: "flatCallTracer" }], "flatCallTracer"],
  ["debug_traceTransaction", [at.hash, { tracer: "muxTracer", tracerConfig: { "4byteTracer": null } }], "muxTracer"],
  ["debug_traceCall", [{ to: at.counter, data: WORD }, "latest", { tracer: "callTracer" }]],
  ["debug_traceBlockByNumber", ["0x2", { tracer: "callTracer" }]],
  ["debug_traceBlockByHash", [at.block, { tracer: "callTracer" }]],
  ["debug_getRawHeader", ["latest"]], ["debug_getRawBlock", ["latest"]], ["debug_getRawReceipts", ["latest"]],
  ["debug_getRawTransaction", [at.hash]],
  ["trace_transaction", [at.hash]], ["trace_block", ["0x2"]], ["trace_filter", [{ fromBlock: "0x0", toBlock: "0x2" }]],
  ["trace_get", [at.hash, ["0x0"]]], ["trace_replayBlockTransactions", ["0x2", ["trace"]]],
  ["txpool_status", []], ["txpool_inspect", []], ["txpool_content", []], ["txpool_contentFrom", [at.own]],
  ["evm_snapshot", []], ["evm_revert", ["0x99"], "none"], ["evm_increaseTime", [1]], ["evm_mine", []],
  ["evm_setNextBlockTimestamp", [4000000000]], ["evm_setBlockGasLimit", ["0x1c9c380"]], ["evm_setAutomine", [true]],
  ["anvil_setBalance", [at.other, "0x1"]], ["anvil_setCode", [at.other, "0x"]], ["anvil_setNonce", [at.other, "0x0"]],
  ["anvil_setStorageAt", [at.counter, "0x1", WORD]], ["anvil_setCoinbase", [at.other]], ["anvil_nodeInfo", []],
  ["anvil_metadata", []], ["anvil_impersonateAccount", [at.counter]], ["anvil_stopImpersonatingAccount", [at.counter]],
  ["anvil_autoImpersonateAccount", [false]], ["anvil_mine", ["0x1"]], ["anvil_setBlockTimestampInterval", [1]],
  ["anvil_removeBlockTimestampInterval", []], ["anvil_dropTransaction", [ZERO]], ["anvil_dropAllTransactions", []],
  ["anvil_dumpState", []], ["anvil_rollback", [1]], ["anvil_reorg", [1, []]],
  ["anvil_setNextBlockBaseFeePerGas", ["0x3b9aca00"]], ["anvil_reset", []],
  ["eth_noSuchMethod", []],
];

// The kinds of a value's fields; lists by their first item.
function shape(value, path = "", into = new Map()) {
  if (Array.isArray(value)) {
    into.set(path || ".", "list");
    if (value.length) shape(value[0], `${path}[]`, into);
  } else if (value !== null && typeof value === "object") {
    into.set(path || ".", "object");
    for (const [name, field] of Object.entries(value)) {
      // Names that are data: addresses, hashes, selectors, numbers.
      const key = /^(0x[0-9a-f]|\d+$)/i.test(name) ? "*" : name;
      shape(field, `${path}.${key}`, into);
    }
  } else {
    const hex = typeof value === "string" && /^0x[0-9a-f]*$/i.test(value);
    into.set(path || ".", value === null ? "null" : hex ? "hex" : typeof value);
  }
  return into;
}

function compare(ours, theirs) {
  if (ours.error || theirs.error) {
    const [one, other] = [ours, theirs].map((it) => (it.error ? `error ${it.error.code}` : "result"));
    if (ours.error?.code === -32601 && theirs.error?.code === -32601) return "";
    if (one === other) return "";
    return `${one} here, ${other} there`;
  }
  const [one, other] = [shape(ours.result), shape(theirs.result)];
  const missing = [...other.keys()].filter((path) => !one.has(path));
  const more = [...one.keys()].filter((path) => !other.has(path));
  const kinds = [...one.keys()].filter((path) => other.has(path) && one.get(path) !== other.get(path));
  const parts = [];
  if (missing.length) parts.push(`without ${missing.join(" ")}`);
  if (more.length) parts.push(`with ${more.join(" ")}`);
  if (kinds.length) parts.push(kinds.map((path) => `${path} is ${one.get(path)}, there ${other.get(path)}`).join("; "));
  return parts.join("; ");
}

const reasons = JSON.parse(readFileSync(new URL("differences.json", import.meta.url)));
const here = start(devnetProgram, ["--port", "0"], /RPC\s+(\S+)/);
const there = start(anvilProgram, ["--port", "0"], /Listening on (\S+)/);
let wrong = 0;
try {
  const urls = [await here.url, await there.url];
  const places = [await prepare(urls[0]), await prepare(urls[1])];
  const [ours, theirs] = places.map(questions);
  const used = new Set();
  const counts = { same: 0, differs: 0, absent: 0 };
  for (let n = 0; n < ours.length; n++) {
    const [method, params, note] = ours[n];
    const name = note ? `${method} (${note})` : method;
    const answers = [await ask(urls[0], method, params), await ask(urls[1], method, theirs[n][1])];
    const absent = answers.map((answer) => answer.error?.code === -32601);
    let found = compare(...answers);
    let status = found ? "differs" : "same";
    if (absent[0] !== absent[1]) {
      status = "absent";
      found = absent[0] ? "not here" : "not there";
    }
    const reason = reasons[name];
    if (reason) used.add(name);
    const explained = status === "same" ? !reason : Boolean(reason);
    if (!explained) wrong++;
    counts[status]++;
    const mark = explained ? " " : "!";
    console.log(`${mark} ${name.padEnd(52)} ${status.padEnd(8)} ${reason ?? found}`);
    if (!explained && reason) console.log(`    a reason is given but there is no difference`);
    else if (!explained) console.log(`    ${found}`);
  }
  for (const name of Object.keys(reasons).filter((name) => !used.has(name))) {
    wrong++;
    console.log(`! ${name}: a reason for what was not asked`);
  }
  console.log(`${counts.same} same, ${counts.differs} differ, ${counts.absent} on one side only; ${wrong} without a reason`);
} finally {
  here.child.kill("SIGINT");
  there.child.kill("SIGINT");
}
process.exitCode = wrong ? 1 : 0;
