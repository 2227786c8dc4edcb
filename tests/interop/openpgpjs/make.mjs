// Makes a key with OpenPGP.js, locked with a passphrase; the armored key goes to stdout.
//
//     node make.mjs v4|v6 rsa4096|curve25519|nistP256 PASSPHRASE-FILE

import { readFile } from 'node:fs/promises';
import * as openpgp from 'openpgp';

const [version, algorithm, passphraseFile] = process.argv.slice(2);
const kinds = {
  rsa4096: { type: 'rsa', rsaBits: 4096 },
  curve25519: version === 'v6' ? { type: 'curve25519' } : { type: 'ecc', curve: 'curve25519Legacy' },
  nistP256: { type: 'ecc', curve: 'nistP256' },
};
const { privateKey } = await openpgp.generateKey({
  ...kinds[algorithm],
  userIDs: [{ name: 'Reader', email: 'reader@example.org' }],
  passphrase: (await readFile(passphraseFile, 'utf8')).trim(),
  // Version 6 keys are protected, and say that they read, what RFC 9580 brought.
  config: { v6Keys: version === 'v6', aeadProtect: version === 'v6' },
});
process.stdout.write(privateKey);
