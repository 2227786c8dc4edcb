// Exits 0 if the helper fails though the transaction is gone.
import { createRequire } from "node:module";
import hre from "hardhat";

const version = (name) => createRequire(import.meta.url)(`./node_modules/${name}/package.json`).version;
console.log(`hardhat ${version("hardhat")}, network helpers ${version("@nomicfoundation/hardhat-network-helpers")}`);
const { provider, networkHelpers } = await hre.network.create("anvil");
const ask = (method, params = []) => provider.request({ method, params });
const [from] = await ask("eth_accounts");
await ask("evm_setAutomine", [false]);
const hash = await ask("eth_sendTransaction", [{ from, to: from, value: "0x1" }]);
console.log("wanted: dropTransaction resolves to true");
let found;
try {
  found = await networkHelpers.dropTransaction(hash);
  console.log(`found:  it resolves to ${found}`);
} catch (error) {
  console.log(`found:  ${error.message}`);
}
const left = await ask("eth_getTransactionByHash", [hash]);
console.log(`found:  the transaction is ${left === null ? "gone" : "still there"}`);
if (found === true) console.log("the finding is gone");
process.exit(found === undefined && left === null ? 0 : 1);
