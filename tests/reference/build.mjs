// Compiles Pcac.sol against the contract's own interface, or v1/Pcac.sol against version 1's; writes the init code, in hex,
// to the file that is named.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import solc from "solc";

const [out, version] = process.argv.slice(2);
if (out === undefined || (version !== undefined && version !== "v1")) {
  console.error("usage: node build.mjs OUT.hex [v1]");
  process.exit(2);
}
const [source, interface_] = version === "v1" ? ["v1/Pcac.sol", "../../contract/artifacts/v1/IPcac.sol"] : ["Pcac.sol", "../../contract/abi/IPcac.sol"];
const read = (path) => ({ content: readFileSync(new URL(path, import.meta.url), "utf8") });
const input = {
  language: "Solidity",
  sources: { "Pcac.sol": read(source), "IPcac.sol": read(interface_) },
  settings: {
    evmVersion: "cancun",
    viaIR: true,
    // Version 2 does not fit in 24,576 bytes with as many.
    optimizer: { enabled: true, runs: version === "v1" ? 1_000_000 : 200 },
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
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, bytecode.object);
console.log(`${out}: ${deployedBytecode.object.length / 2} bytes of code, solc ${solc.version()}`);
