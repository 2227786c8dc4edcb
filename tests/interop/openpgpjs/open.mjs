// Opens a sealed root with OpenPGP.js: the payload goes to stdout, the signer's fingerprint to stderr.
// Nothing is written unless the signature verifies.
//
//     node open.mjs KEY PASSPHRASE-FILE SIGNER-CERTIFICATE ROOT

import { readFile } from 'node:fs/promises';
import * as openpgp from 'openpgp';

const [keyFile, passphraseFile, signerFile, rootFile] = process.argv.slice(2);

const privateKey = await openpgp.readPrivateKey({ armoredKey: await readFile(keyFile, 'utf8') });
const passphrase = await readFile(passphraseFile, 'utf8');
const decryptionKeys = await openpgp.decryptKey({ privateKey, passphrase });
const verificationKeys = await openpgp.readKey({ binaryKey: await readFile(signerFile) });
const message = await openpgp.readMessage({ binaryMessage: await readFile(rootFile) });

const { data, signatures } = await openpgp.decrypt({
  message,
  decryptionKeys,
  verificationKeys,
  expectSigned: true,
  format: 'binary',
});
await Promise.all(signatures.map(({ verified }) => verified));
if (signatures.length !== 1) throw new Error(`wanted 1 signature, found ${signatures.length}`);

process.stderr.write(`${verificationKeys.getFingerprint()}\n`);
process.stdout.write(data);
