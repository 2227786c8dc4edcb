"""A development chain with the contract, homes on it, and the programs that make them: for the scripts beside this file.

The programs are `pcim` (PCIM, or target/debug/pcim), and for the chain `pcim-dev` (PCIM_DEV, or
target/debug/pcim-dev).
"""

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PCIM = os.environ.get("PCIM", str(ROOT / "target/debug/pcim"))
PCIM_DEV = os.environ.get("PCIM_DEV", str(ROOT / "target/debug/pcim-dev"))
PASSPHRASE = "correct horse battery staple"


def run(*args, given=None, env=None, check=True):
    done = subprocess.run([str(a) for a in args], input=given, capture_output=True, env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        raise RuntimeError(f"{args}: {done.stderr.decode(errors='replace')}")
    return done


class Served:
    """A program that says where it is in a JSON document and goes on running."""

    def __init__(self, *args, env):
        self.process = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env={**os.environ, **env})
        text, decoder = "", json.JSONDecoder()
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                raise RuntimeError(f"{args}: ended")
            text += line
            try:
                self.said = decoder.raw_decode(text)[0]
                return
            except ValueError:
                continue

    def __enter__(self):
        return self.said

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Scene:
    """A development chain with the contract, and homes on it."""

    def __init__(self, folder):
        self.folder = folder
        self.passphrase = folder / "passphrase"
        # Keys and passphrases are refused if others can read them.
        os.umask(0o077)
        self.passphrase.write_text(PASSPHRASE)
        self.env = {"PCIM_PASSPHRASE_FILE": str(self.passphrase)}
        self.devnet = Served(PCIM_DEV, "devnet", "--port", "0", "--json", env=self.env)
        self.accounts = self.devnet.said["accounts"]
        self.url = self.devnet.said["rpc_url"]
        key = folder / "deployer"
        key.write_text(self.accounts[0]["private_key"])
        self.contract = json.loads(run(
            PCIM, "deploy", "--rpc-url", self.url, "--chain-id", self.devnet.said["chain_id"], "--consortium",
            self.accounts[1]["address"], "--key-file", key, "--record-dir", folder, "--json").stdout)["contract"]

    def home(self, name, *options, openpgp=None):
        """A home whose account has some ether."""
        home = Home(self, self.folder / name)
        home.address = home("init", "--network", "devnet", "--rpc-url", self.url, "--contract", self.contract,
                            *options)["address"]
        self.rpc("anvil_setBalance", home.address, hex(10**18))
        if openpgp:
            (home.folder / "openpgp.asc").write_bytes(openpgp)
        return home

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        answer = json.load(urllib.request.urlopen(request))
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


class Home:
    """One actor, as the user of the command line."""

    def __init__(self, scene, folder):
        self.scene, self.folder = scene, folder

    def __call__(self, *args):
        return json.loads(self.tries(*args, check=True).stdout)

    def tries(self, *args, check=False):
        return run(PCIM, "--home", self.folder, "--json", *args, env=self.scene.env, check=check)

    def serves(self, *options):
        return Served(PCIM, "--home", self.folder, "--json", "node", *options, env=self.scene.env)

    def knows(self, said):
        """Names a node that this home dials."""
        config = self.folder / "config.toml"
        address = next(a for a in said["addresses"] if "/p2p/" in a)
        lines = config.read_text().splitlines()
        config.write_text("\n".join(f'peers = ["{address}"]' if l.startswith("peers = ") else l for l in lines) + "\n")

    def holds(self, block):
        """Puts a raw block into the repository, as if it had been fetched; its digest."""
        digest = hashlib.sha256(block).digest()
        cid = "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")
        path = self.folder / "ipfs/blockstore" / cid[-3:-1] / f"{cid}.data"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(block)
        return digest
