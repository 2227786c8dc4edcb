// Writes upper.json, a keystore as ethers writes it, and lower.json, the same with the member's name of the definition.
import { Wallet } from "ethers";
import { writeFileSync } from "node:fs";

const [folder, password] = process.argv.slice(2);
const wallet = new Wallet("0x" + "11".repeat(32));
const text = await wallet.encrypt(password, () => {});
writeFileSync(`${folder}/upper.json`, text);
writeFileSync(`${folder}/lower.json`, text.replace('"Crypto"', '"crypto"'));
console.log(wallet.address);
