// Every network helper of Hardhat 3 on the development chain that DEVNET_URL names; a line a check.
import assert from "node:assert/strict";
import hre from "hardhat";

const { provider, networkHelpers } = await hre.network.create("devnet");
const { time } = networkHelpers;
const ask = (method, params = []) => provider.request({ method, params });
const [own, other] = await ask("eth_accounts");
const stranger = "0x00000000000000000000000000000000000bEEf1";

let passed = 0;
let failed = 0;
async function check(name, test) {
  try {
    await test();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
const number = async () => Number(await ask("eth_blockNumber"));
const send = async (tx) => {
  const hash = await ask("eth_sendTransaction", [{ from: own, ...tx }]);
  return ask("eth_getTransactionReceipt", [hash]);
};
// Returns slot 0; adds one to it first if it is called without data.
const COUNTER = "0x6016600c60003960166000f33615600d575f545f5260205ff35b5f546001015f5500";

await check("the chain's name is one that the helpers take", async () => {
  assert.match(await ask("web3_clientVersion"), /^anvil/i);
});
await check("mine, mineUpTo", async () => {
  const before = await number();
  await networkHelpers.mine(3, { interval: 10 });
  assert.equal(await number(), before + 3);
  await networkHelpers.mineUpTo(before + 7);
  assert.equal(await number(), before + 7);
});
await check("time.latest, latestBlock, increase, increaseTo, setNextBlockTimestamp", async () => {
  const before = await time.latest();
  assert.equal(await time.increase(100), before + 100);
  await time.increaseTo(before + 500);
  assert.equal(await time.latest(), before + 500);
  await time.setNextBlockTimestamp(before + 1_000);
  await send({ to: other, value: "0x1" });
  assert.equal(await time.latest(), before + 1_000);
  assert.equal(await time.latestBlock(), await number());
});
await check("setBalance, setNonce, setCode, setStorageAt, getStorageAt", async () => {
  await networkHelpers.setBalance(stranger, 10n ** 18n);
  assert.equal(BigInt(await ask("eth_getBalance", [stranger, "latest"])), 10n ** 18n);
  await networkHelpers.setNonce(stranger, 7);
  assert.equal(await ask("eth_getTransactionCount", [stranger, "latest"]), "0x7");
  await networkHelpers.setCode(stranger, "0x5f545f5260205ff3");
  await networkHelpers.setStorageAt(stranger, 0, 5);
  assert.equal(BigInt(await networkHelpers.getStorageAt(stranger, 0)), 5n);
  assert.equal(BigInt(await ask("eth_call", [{ to: stranger }, "latest"])), 5n);
});
await check("impersonateAccount, stopImpersonatingAccount", async () => {
  const account = "0x00000000000000000000000000000000000cafe1";
  await networkHelpers.setBalance(account, 10n ** 18n);
  await assert.rejects(ask("eth_sendTransaction", [{ from: account, to: other, value: "0x1" }]));
  await networkHelpers.impersonateAccount(account);
  const hash = await ask("eth_sendTransaction", [{ from: account, to: other, value: "0x1" }]);
  assert.equal((await ask("eth_getTransactionReceipt", [hash])).status, "0x1");
  await networkHelpers.stopImpersonatingAccount(account);
  await assert.rejects(ask("eth_sendTransaction", [{ from: account, to: other, value: "0x1" }]));
});
await check("takeSnapshot, restore, loadFixture", async () => {
  const snapshot = await networkHelpers.takeSnapshot();
  const before = await number();
  await networkHelpers.mine(2);
  await snapshot.restore();
  assert.equal(await number(), before);
  let runs = 0;
  async function fixture() {
    runs++;
    return (await send({ data: COUNTER })).contractAddress;
  }
  const first = await networkHelpers.loadFixture(fixture);
  await send({ to: first });
  const second = await networkHelpers.loadFixture(fixture);
  assert.deepEqual([second, runs], [first, 1]);
  assert.equal(BigInt(await ask("eth_call", [{ to: first, data: "0x01" }, "latest"])), 0n);
});
await check("setBlockGasLimit, setCoinbase, setNextBlockBaseFeePerGas", async () => {
  await networkHelpers.setBlockGasLimit(20_000_000);
  const coinbase = "0x00000000000000000000000000000000000c01d1";
  await networkHelpers.setCoinbase(coinbase);
  await networkHelpers.setNextBlockBaseFeePerGas(3_000_000_000n);
  await send({ to: other, value: "0x1", maxFeePerGas: "0x12a05f200" });
  const block = await ask("eth_getBlockByNumber", ["latest", false]);
  assert.deepEqual(
    [block.gasLimit, block.miner.toLowerCase(), block.baseFeePerGas],
    ["0x1312d00", coinbase.toLowerCase(), "0xb2d05e00"],
  );
});
await check("dropTransaction", async () => {
  await ask("evm_setAutomine", [false]);
  const hash = await ask("eth_sendTransaction", [{ from: own, to: other, value: "0x1" }]);
  await networkHelpers.dropTransaction(hash);
  await ask("evm_setAutomine", [true]);
  await networkHelpers.mine();
  assert.equal(await ask("eth_getTransactionByHash", [hash]), null);
});
await check("setPrevRandao is refused: PREVRANDAO is 1 on Arbitrum", async () => {
  await assert.rejects(networkHelpers.setPrevRandao(7));
});
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
