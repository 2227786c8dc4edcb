// Plays scenario.json with a library and compares; knows nothing of any library.
//
// A library is an object of
//   sign(actor, message)          the actor's EIP-712 signature of { image, patient, seal }
//   deploy(actor, bytecode)       the address of the contract that the creation code makes
//   signCall(actor, function, message)  the actor's EIP-712 signature of a call: its arguments by name, nonce and deadline
//   encode(function, args)        the calldata of a call
//   latest()                      { number, timestamp } of the latest block
//   view(function, args)          what the view returns; an array if it is several values
//   call(actor, function, args)   what the function would return, sent by the actor
//   send(actor, function, args)   { timestamp, events } of the mined transaction
//   refusal(error)                [name, args] of the contract's error within a thrown one
//   history(block)                events since that block
//   heard                         events that came by subscription, as they come
// where an event is [name, args].
import { deepStrictEqual } from "node:assert";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));

if (process.argv.length !== 4) {
  console.error("usage: node pcac.mjs DEVNET.json DEPLOYMENT.json");
  process.exit(2);
}
/** What `pcim-dev devnet --json` printed, and what `pcim deploy --json` printed. */
export const [devnet, deployment] = process.argv.slice(2).map(read);
export const abi = read(new URL("../../contract/artifacts/v1/Pcac.json", import.meta.url));
const scenario = read(new URL("scenario.json", import.meta.url));

/** The scenario's actors: name to { address, private_key }. */
export const actors = Object.fromEntries(scenario.actors.map((name, i) => [name, devnet.accounts[i]]));

/** The fields of a signed call: the function's arguments, then signer, nonce and deadline. */
export const signedFields = (name) => [
  ...abi.find((entry) => entry.type === "function" && entry.name === name).inputs.map(({ name, type }) => ({ name, type })),
  { name: "signer", type: "address" },
  { name: "nonce", type: "uint64" },
  { name: "deadline", type: "uint64" },
];

/** The order of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const CLOCK_TOLERANCE = 60; // seconds
const EVENTS_TIMEOUT = 10_000; // milliseconds

/** Plays every step, prints what did not match and the tally, and ends the process. */
export async function play(library) {
  const tally = { passed: 0, failed: 0 };
  const check = async (title, body) => {
    try {
      await body();
      tally.passed += 1;
    } catch (error) {
      tally.failed += 1;
      console.error(`FAILED ${title}\n${error.stack ?? error}\n`);
    }
  };

  const { number, timestamp } = await library.latest();
  const start = plain({ number, timestamp });
  const names = await namesFor(library, start);
  const emitted = [];
  for (const [i, step] of scenario.steps.entries()) {
    const title = `step ${i + 1}: ${step.view ?? step.until ?? `${step.as} ${step.call}`}${step.fails ? " fails" : ""}`;
    await check(title, () => playStep(library, step, names, emitted));
  }
  await check("the events of the contract's log", async () => {
    same(await library.history(start.number + 1), emitted);
  });
  await check("the events that came by subscription", async () => {
    const end = Date.now() + EVENTS_TIMEOUT;
    while (library.heard.length < emitted.length && Date.now() < end) await setTimeout(20);
    same(library.heard, emitted);
  });

  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  process.exit(tally.failed === 0 ? 0 : 1);
}

/** A step that one actor signs and another relays, as the step of who relays it. */
async function relayed(library, step, names) {
  const args = resolve(step.with, names);
  const signer = names[step.signed];
  const nonce = Number(await library.view("nonces", [signer]));
  const deadline = names.tomorrow;
  const fields = signedFields(step.call).map(({ name }) => name);
  const named = step.fault === "other signer" ? names[step.as] : signer;
  const message = Object.fromEntries(fields.map((name, i) => [name, [...args, named, nonce, deadline][i]]));
  const other = { "other chain": { chainId: 1 }, "other contract": { verifyingContract: signer } }[step.fault] ?? {};
  const signature = spoilt(await library.signCall(step.signed, step.call, message, other), step.fault);
  const call = await library.encode(step.call, args);
  return { ...step, call: "relay", with: [signer, nonce, deadline, call, signature] };
}

/** A signature with the fault that is in its bytes, if it is one of those. */
function spoilt(signature, fault) {
  const [r, s, v] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`), parseInt(signature.slice(130), 16)];
  const hex = (number) => number.toString(16).padStart(64, "0");
  switch (fault) {
    case "flipped": return `0x${r}${hex(ORDER - s)}${(55 - v).toString(16)}`;
    case "truncated": return signature.slice(0, -2);
    case "compact": return `0x${r}${hex((BigInt(v - 27) << 255n) | s)}`;
    default: return signature;
  }
}

async function playStep(library, step, names, emitted) {
  if (step.until) {
    await setTimeout(Math.max(0, (resolve(step.until, names) + 1) * 1_000 - Date.now()));
    return;
  }
  if (step.signed) step = await relayed(library, step, names);
  const args = resolve(step.with, names);
  if (step.view) {
    same(await library.view(step.view, args), resolve(step.returns, names));
  } else if (step.fails) {
    const wanted = Object.entries(resolve(step.fails, names))[0];
    for (const way of ["call", "send"]) {
      const error = await library[way](step.as, step.call, args).then(
        (found) => { throw new Error(`${way} went through: ${JSON.stringify(plain(found))}`); },
        (error) => error,
      );
      const refusal = library.refusal(error);
      if (!refusal) throw error;
      same(refusal, wanted);
    }
  } else {
    same(await library.call(step.as, step.call, args), step.returns);
    const { timestamp, events } = await library.send(step.as, step.call, args);
    emitted.push(...events);
    for (const [name, offset] of Object.entries(step.times ?? {})) names[name] = Number(timestamp) + offset;
    same(events, step.emits.map((event) => Object.entries(resolve(event, names))[0]));
  }
}

/** What a "$name" of the scenario stands for, before the first step. */
async function namesFor(library, start) {
  const names = {
    ...Object.fromEntries(Object.entries(actors).map(([name, account]) => [name, account.address])),
    ...Object.fromEntries(scenario.digests.map((name) => [name, `0x${randomBytes(32).toString("hex")}`])),
    zero: `0x${"00".repeat(32)}`,
    tooLong: "a".repeat(257),
    tomorrow: start.timestamp + 86_400,
  };
  for (const [name, bytecode] of Object.entries(scenario.contracts)) {
    names[name] = await library.deploy(scenario.actors[0], bytecode);
  }
  names.halfKey = names.key.slice(0, 2 + 2 * 16);
  const { image, patient, seal } = names;
  for (const [name, actor] of Object.entries(scenario.signatures)) {
    names[name] = await library.sign(actor, { image, patient, seal });
  }
  return names;
}

/** A value of the scenario with its "$name"s replaced; "$now" stays. */
function resolve(value, names) {
  if (Array.isArray(value)) return value.map((item) => resolve(item, names));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, names)]));
  }
  if (typeof value !== "string" || !value.startsWith("$") || value === "$now") return value;
  const name = value.slice(1);
  if (!(name in names)) throw new Error(`the scenario has no ${value} yet`);
  return names[name];
}

function same(found, wanted) {
  deepStrictEqual(plain(found, wanted), plain(wanted));
}

/** A value as JSON would have it: whole numbers as numbers, hex in lower case, nothing as null. A time that is wanted
 *  to be "$now" becomes that if it is. */
function plain(value, wanted) {
  if (value === undefined) return null;
  if (typeof value === "bigint") value = Number(value);
  if (wanted === "$now" && Math.abs(value - Date.now() / 1_000) <= CLOCK_TOLERANCE) return wanted;
  if (typeof value === "string") return /^0x[0-9a-f]*$/i.test(value) ? value.toLowerCase() : value;
  if (Array.isArray(value)) return value.map((item, i) => plain(item, wanted?.[i]));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, wanted?.[key])]));
  }
  return value;
}
