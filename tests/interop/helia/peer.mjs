// A Helia node over TCP (noise, yamux, bitswap) on this machine alone, told what to do by lines of JSON on its input.
// It answers each with one line of JSON: what came of it, or {"error": …}.
//
//     {"connect": MULTIADDR}
//     {"cat": CID, "out": FILE}                   fetches a file's bytes
//     {"export": CID, "out": FILE}                the blocks under a CID, as a CAR
//     {"import": FILE}                            takes in the blocks of a CAR: {"roots": [CID]}
//     {"add": FILE, "chunk": BYTES}               adds a file as the profile unixfs-v1-2025 has it: {"cid": CID}
//
// Its first line tells where it is found: {"addresses": […]}.

import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { withBitswap } from '@helia/bitswap';
import { car } from '@helia/car';
import { withLibp2pLight } from '@helia/libp2p';
import { unixfs } from '@helia/unixfs';
import { CarReader } from '@ipld/car';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createHeliaLight } from 'helia';
import { fixedSize } from 'ipfs-unixfs-importer/chunker';
import { balanced } from 'ipfs-unixfs-importer/layout';
import { CID } from 'multiformats/cid';

const PATIENCE = 120_000;

const helia = withBitswap(
  withLibp2pLight(createHeliaLight(), {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  }),
);
await helia.start();
const files = unixfs(helia);
const signal = () => AbortSignal.timeout(PATIENCE);

async function* bytesOf(path) {
  const file = await open(path);
  try {
    for await (const piece of file.createReadStream({ highWaterMark: 1 << 20 })) yield piece;
  } finally {
    await file.close();
  }
}

const write = (source, path) => pipeline(Readable.from(source), createWriteStream(path));

async function obey(order) {
  if (order.connect) {
    await helia.libp2p.dial(multiaddr(order.connect), { signal: signal() });
    return {};
  }
  if (order.cat) {
    await write(files.cat(CID.parse(order.cat), { signal: signal() }), order.out);
    return {};
  }
  if (order.export) {
    await write(car(helia).export(CID.parse(order.export), { signal: signal() }), order.out);
    return {};
  }
  if (order.import) {
    const reader = await CarReader.fromIterable(bytesOf(order.import));
    await car(helia).import(reader, { signal: signal() });
    return { roots: (await reader.getRoots()).map(String) };
  }
  if (order.add) {
    const cid = await files.addByteStream(bytesOf(order.add), {
      cidVersion: 1,
      rawLeaves: true,
      reduceSingleLeafToSelf: true,
      chunker: fixedSize({ chunkSize: order.chunk }),
      layout: balanced({ maxChildrenPerNode: 1024 }),
    });
    return { cid: cid.toString() };
  }
  throw new Error(`not an order: ${JSON.stringify(order)}`);
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ addresses: helia.libp2p.getMultiaddrs().map(String) });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await obey(JSON.parse(line)));
  } catch (error) {
    say({ error: `${error.name}: ${error.message}` });
  }
}
await helia.stop();
process.exit(0);
