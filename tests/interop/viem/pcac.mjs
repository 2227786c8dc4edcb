// The contract Pcac with viem.
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeFunctionData,
  http,
  parseEventLogs,
  webSocket,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { abi, actors, deployment, devnet, play, signedFields } from "../story.mjs";

const chain = defineChain({
  id: devnet.chain_id,
  name: "devnet",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [devnet.rpc_url], webSocket: [devnet.ws_url] } },
});
const client = createPublicClient({ chain, transport: http(), pollingInterval: 50, cacheTime: 0 });
const wallets = Object.fromEntries(
  Object.entries(actors).map(([name, { private_key }]) => {
    const account = privateKeyToAccount(private_key);
    return [name, createWalletClient({ chain, account, transport: http() })];
  }),
);
const contract = { address: deployment.contract, abi };

const domain = { name: "Pcac", version: "1", chainId: devnet.chain_id, verifyingContract: deployment.contract };
const types = {
  ImageAttestation: [
    { name: "image", type: "bytes32" },
    { name: "patient", type: "address" },
    { name: "seal", type: "bytes32" },
  ],
};

const event = ({ eventName, args }) => [eventName, args];

const heard = [];
createPublicClient({ chain, transport: webSocket() }).watchContractEvent({
  ...contract,
  onLogs: (logs) => heard.push(...logs.map(event)),
  onError: (error) => console.error(error),
});

await play({
  heard,

  sign: (actor, message) =>
    wallets[actor].signTypedData({ domain, types, primaryType: "ImageAttestation", message }),

  async deploy(actor, bytecode) {
    const hash = await wallets[actor].deployContract({ abi: [], bytecode });
    return (await client.waitForTransactionReceipt({ hash })).contractAddress;
  },

  signCall: (actor, name, message, other) =>
    wallets[actor].signTypedData({ domain: { ...domain, ...other }, types: { [name]: signedFields(name) }, primaryType: name, message }),

  encode: (functionName, args) => encodeFunctionData({ abi, functionName, args }),

  latest: () => client.getBlock(),

  view: (functionName, args) => client.readContract({ ...contract, functionName, args }),

  async call(actor, functionName, args) {
    const { account } = wallets[actor];
    return (await client.simulateContract({ ...contract, account, functionName, args })).result;
  },

  async send(actor, functionName, args) {
    const hash = await wallets[actor].writeContract({ ...contract, functionName, args });
    const receipt = await client.waitForTransactionReceipt({ hash });
    const { timestamp } = await client.getBlock({ blockNumber: receipt.blockNumber });
    return { timestamp, events: parseEventLogs({ abi, logs: receipt.logs }).map(event) };
  },

  // viem gives an error's arguments in order; their names are the ABI's.
  refusal(error) {
    const reverted = error instanceof BaseError && error.walk((e) => e instanceof ContractFunctionRevertedError);
    if (!reverted?.data) return undefined;
    const { errorName, abiItem, args = [] } = reverted.data;
    return [errorName, Object.fromEntries(abiItem.inputs.map((input, i) => [input.name, args[i]]))];
  },

  async history(block) {
    const logs = await client.getContractEvents({ ...contract, fromBlock: BigInt(block) });
    return logs.map(event);
  },
});
