// Compiles Pcac.sol against the contract's own interface; writes the init code, in hex, to the file that is named.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import solc from "solc";

if (process.argv.length !== 3) {
  console.error("usage: node build.mjs OUT.hex");
  process.exit(2);
}
const read = (path) => ({ content: readFileSync(new URL(path, import.meta.url), "utf8") });
const input = {
  language: "Solidity",
  sources: { "Pcac.sol": read("Pcac.sol"), "IPcac.sol": read("../../contract/abi/IPcac.sol") },
  settings: {
    evmVersion: "cancun",
    viaIR: true,
    optimizer: { enabled: true, runs: 1_000_000 },
    metadata: { appendCBOR: false },
    outputSelection: { "Pcac.sol": { Pcac: ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = (output.errors ?? []).filter((error) => error.severity === "error");
if (errors.length > 0) {
  console.error(errors.map((error) => error.formattedMessage).join("\n"));
  process.exit(1);
}
const { bytecode, deployedBytecode } = output.contracts["Pcac.sol"].Pcac.evm;
mkdirSync(dirname(process.argv[2]), { recursive: true });
writeFileSync(process.argv[2], bytecode.object);
console.log(`${process.argv[2]}: ${deployedBytecode.object.length / 2} bytes of code, solc ${solc.version()}`);
