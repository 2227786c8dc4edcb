// The contract Pcac with ethers v6.
import { Contract, ContractFactory, JsonRpcProvider, Wallet, WebSocketProvider } from "ethers";

import { abi, actors, deployment, devnet, play, signedFields } from "../story.mjs";

// ethers answers an identical read from memory for 250 ms unless told not to.
const provider = new JsonRpcProvider(devnet.rpc_url, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const contract = new Contract(deployment.contract, abi, provider);
const signers = Object.fromEntries(
  Object.entries(actors).map(([name, account]) => [name, new Wallet(account.private_key, provider)]),
);

const domain = { name: "Pcac", version: "1", chainId: devnet.chain_id, verifyingContract: deployment.contract };
const types = {
  ImageAttestation: [
    { name: "image", type: "bytes32" },
    { name: "patient", type: "address" },
    { name: "seal", type: "bytes32" },
  ],
};

// Logs of the contract come as EventLog, decoded.
const event = (log) => [log.eventName, log.args.toObject()];
// A single value comes bare, several or none as a Result.
const values = (result) => (typeof result?.toArray !== "function" ? result : result.length ? result.toArray() : null);

const heard = [];
const socket = new WebSocketProvider(devnet.ws_url);
await contract.connect(socket).on("*", (payload) => heard.push(event(payload.log)));

await play({
  heard,

  sign: (actor, message) => signers[actor].signTypedData(domain, types, message),

  async deploy(actor, bytecode) {
    const deployed = await new ContractFactory([], bytecode, signers[actor]).deploy();
    await deployed.waitForDeployment();
    return deployed.target;
  },

  signCall: (actor, name, message, other) =>
    signers[actor].signTypedData({ ...domain, ...other }, { [name]: signedFields(name) }, message),

  encode: (name, args) => contract.interface.encodeFunctionData(name, args),

  latest: () => provider.getBlock("latest"),

  view: async (name, args) => values(await contract[name](...args)),

  call: async (actor, name, args) => values(await contract.connect(signers[actor])[name].staticCall(...args)),

  async send(actor, name, args) {
    const transaction = await contract.connect(signers[actor])[name](...args);
    const receipt = await transaction.wait();
    const { timestamp } = await receipt.getBlock();
    return { timestamp, events: receipt.logs.map(event) };
  },

  // A refused call comes with error.revert, a refused transaction (by its gas estimate) with the bytes only.
  refusal(error) {
    const revert = error.revert ?? contract.interface.parseError(error.data ?? "0x");
    return revert && [revert.name, revert.args.toObject()];
  },

  history: async (block) => (await contract.queryFilter("*", block)).map(event),
});
