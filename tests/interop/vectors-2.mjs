// Compares vectors-2.json with what a library computes. usage: node vectors-2.mjs ethers|viem   (in the library's folder)
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [library] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(createRequire(`${process.cwd()}/package.json`).resolve(name)));
const hash = {
  ethers: async () => {
    const { TypedDataEncoder } = await load("ethers");
    return ({ domain, types, message }) => TypedDataEncoder.hash(domain, types, message);
  },
  viem: async () => {
    const { hashTypedData } = await load("viem");
    const number = (type, value) => (/^uint/.test(type) ? BigInt(value) : value);
    return ({ domain, types, primaryType, message }) => {
      const fields = types[primaryType].map(({ name, type }) => [name, number(type, message[name])]);
      return hashTypedData({ domain, types, primaryType, message: Object.fromEntries(fields) });
    };
  },
}[library];
if (!hash) {
  console.error("usage: node vectors-2.mjs ethers|viem");
  process.exit(2);
}
const digest = await hash();
const vectors = JSON.parse(readFileSync(new URL("vectors-2.json", import.meta.url), "utf8"));
const wrong = vectors.filter((vector) => digest(vector) !== vector.digest);
for (const { primaryType } of wrong) console.error(`${library} hashes ${primaryType} to something else`);
console.log(`${vectors.length - wrong.length} of ${vectors.length} structs of version 2 as ${library} hashes them`);
process.exit(wrong.length > 0 || vectors.length === 0 ? 1 : 0);
