#!/usr/bin/env python3
"""An image is fetched from followers over a slow link while its patient is offline.

Six network namespaces on one switch: a chain, a radiologist, a patient, two followers and a requestor, whose link has
20 Mbit/s each way and a round trip of 100 ms. The patient and the radiologist stop; in half of the runs one of the two
followers is killed when a third of the time has passed. The link is a process in the requestor's namespace that all
connections pass, to the chain's RPC too: it delays bytes, and does not lose any. Needs root, `ip netns` and
target/debug/pcim (or $PCIM), with pcim-dev beside it. Prints a Markdown table; --runs N and --sizes MB,MB change it.
"""
import argparse, asyncio, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PCIM = os.environ.get("PCIM", os.path.join(ROOT, "target/debug/pcim"))
HOSTS = ["chain", "radiologist", "patient", "follower1", "follower2", "requestor"]
TAG = f"pcim{os.getpid() % 10000}"
CHAIN_ID = "412346"
RATE, DELAY_MS = 20_000_000, 100


def sh(*args, check=True):
    done = subprocess.run(args, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(args)}: {done.stderr.strip()}")
    return done


def ns(host):
    return f"{TAG}-{host}"


def ip(host):
    return f"10.77.0.{HOSTS.index(host) + 2}"


def network():
    sh("ip", "netns", "add", ns("switch"))
    sw = ["ip", "-n", ns("switch")]
    sh(*sw, "link", "add", "name", "lan", "type", "bridge")
    sh(*sw, "link", "set", "dev", "lan", "up")
    for host in HOSTS:
        sh("ip", "netns", "add", ns(host))
        sh("ip", "link", "add", "name", "eth", "netns", ns(host), "type", "veth", "peer", "name", host, "netns", ns("switch"))
        sh(*sw, "link", "set", "dev", host, "master", "lan", "up")
        here = ["ip", "-n", ns(host)]
        sh(*here, "addr", "add", ip(host) + "/24", "dev", "eth")
        sh(*here, "link", "set", "eth", "up")
        sh(*here, "link", "set", "lo", "up")


class Link:
    """One direction of the slow link: bytes leave one after the other, and arrive half a round trip later."""

    def __init__(self):
        self.free = 0.0

    def due(self, count):
        now = time.monotonic()
        self.free = max(self.free, now) + count * 8 / RATE
        return self.free + DELAY_MS / 2000


async def carry(reader, writer, link):
    """Carries one direction of one connection; at most 512 KiB are under way, as in a router's queue."""
    queue = asyncio.Queue(maxsize=32)

    async def deliver():
        while (item := await queue.get()) is not None:
            due, data = item
            await asyncio.sleep(max(0, due - time.monotonic()))
            writer.write(data)
            await writer.drain()

    out = asyncio.create_task(deliver())
    try:
        while data := await reader.read(16 * 1024):
            await queue.put((link.due(len(data)), data))
    except OSError:
        pass
    await queue.put(None)
    try:
        await out
        writer.close()
    except OSError:
        pass


async def slow(pairs):
    """Listens on ports of this namespace for addresses beyond the slow link, which they share."""
    up, down = Link(), Link()
    for port, address in pairs:
        async def accept(reader, writer, address=address):
            try:
                there, back = await asyncio.open_connection(*address)
            except OSError:
                writer.close()
                return
            await asyncio.gather(carry(reader, back, up), carry(there, writer, down))
        await asyncio.start_server(accept, "127.0.0.1", port)
    print("{}", flush=True)
    await asyncio.Event().wait()


def tidy():
    for host in HOSTS + ["switch"]:
        sh("ip", "netns", "del", ns(host), check=False)


class Stage:
    def __init__(self, dir):
        self.dir, self.running = dir, {}
        os.umask(0o077)
        with open(self.path("pass"), "w") as file:
            file.write("seven quiet herons\n")
        self.env = dict(os.environ, PCIM_PASSPHRASE_FILE=self.path("pass"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def argv(self, host, args, home=None):
        return ["ip", "netns", "exec", ns(host), PCIM, "--json", "--home", self.path(home or host), *args]

    def pcim(self, host, *args, home=None, check=True):
        done = subprocess.run(self.argv(host, args, home), env=self.env, capture_output=True, text=True)
        if check and done.returncode:
            sys.exit(f"{host}: pcim {' '.join(args)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    def begin(self, host, *args, argv=None):
        """A process that goes on; returns the JSON document that it says first."""
        log = open(self.path(host + ".log"), "w")
        process = subprocess.Popen(argv or self.argv(host, args), env=self.env, stdout=subprocess.PIPE, stderr=log, text=True)
        self.running[host] = process
        text = ""
        for line in process.stdout:
            text += line
            try:
                return json.loads(text)
            except ValueError:
                pass
        sys.exit(f"{host} ended: {open(self.path(host + '.log')).read()}")

    def end(self, host, how=signal.SIGTERM):
        process = self.running.pop(host, None)
        if process:
            process.send_signal(how)
            process.wait()

    def pinned(self, host, kind):
        with open(self.path(host + ".log")) as log:
            return sum(f'"follow":"pinned","kind":"{kind}"' in line for line in log)

    def until(self, what, done):
        start = time.time()
        while not done():
            if time.time() - start > 300:
                sys.exit(f"not within 300 s: {what}")
            time.sleep(0.3)

    def init(self, host, key, contract, peers=()):
        with open(self.path("key"), "w") as file:
            file.write(key)
        args = ["init", "--import-key", self.path("key"), "--listen", f"/ip4/{ip(host)}/tcp/4001"]
        for peer in peers:
            args += ["--peer", peer]
        self.pcim(host, *args, "--rpc-url", f"http://{ip('chain')}:8547", "--chain-id", CHAIN_ID, "--contract", contract)


def image(megabytes):
    """The demo's image with a square picture of so many bytes."""
    demo = open(os.path.join(ROOT, "client/cli/assets/demo.dcm"), "rb").read()
    at = demo.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    side = int((megabytes * 10**6 / 2) ** 0.5)
    head = bytearray(demo[:at])
    for tag in (b"\x28\0\x10\0US\2\0", b"\x28\0\x11\0US\2\0"):
        head[head.index(tag) + 8:head.index(tag) + 10] = side.to_bytes(2, "little")
    pixels = os.urandom(2 * side * side)
    return bytes(head) + len(pixels).to_bytes(4, "little") + pixels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", default="1,10,50")
    parser.add_argument("--link", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.link:
        pairs = [entry.split(",") for entry in options.link]
        asyncio.run(slow([(int(port), (host, int(to))) for port, host, to in pairs]))
    sizes = [int(size) for size in options.sizes.split(",")]
    dir = tempfile.mkdtemp(prefix="pcim-slow-")
    stage = Stage(dir)
    try:
        network()
        measure(stage, sizes, options.runs)
    finally:
        for host in list(stage.running):
            stage.end(host, signal.SIGKILL)
        tidy()
        shutil.rmtree(dir, ignore_errors=True)


def measure(stage, sizes, runs):
    told = stage.begin("chain", argv=["ip", "netns", "exec", ns("chain"), PCIM + "-dev", "--json", "devnet", "--host", ip("chain"),
                                         "--port", "8547"])
    accounts = told["accounts"]
    key = lambda n: accounts[n]["private_key"].removeprefix("0x")
    with open(stage.path("payer"), "w") as file:
        file.write(key(0))
    record = stage.pcim("chain", "deploy", "--consortium", accounts[1]["address"], "--key-file", stage.path("payer"),
                        "--record-dir", stage.dir, "--rpc-url", f"http://{ip('chain')}:8547", "--chain-id", CHAIN_ID)
    contract = record["contract"]
    stage.init("chain", key(1), contract)
    stage.init("radiologist", key(2), contract)
    stage.init("patient", key(3), contract)
    stage.pcim("chain", "consortium", "accredit", accounts[2]["address"])
    for host in ("patient", "radiologist"):
        stage.pcim(host, "card", "--out", stage.path(host + ".card"))
    followers = []
    with open(stage.path("patient.card")) as card:
        text = card.read()
    known = [part for part in text.replace("\\", "").split('"') if part.startswith("/ip4/")]
    for n, host in enumerate(("follower1", "follower2")):
        stage.init(host, key(6 + n), contract, known)
        followers += stage.begin(host, "node", "--follow-chain")["addresses"]
    stage.init("requestor", key(4), contract, known + followers)

    shared = {}
    for done, size in enumerate(sizes, 1):
        scan, handover = stage.path(f"{size}.dcm"), stage.path(f"{size}.pgp")
        with open(scan, "wb") as file:
            file.write(image(size))
        stage.pcim("radiologist", "radiologist", "seal", scan, "--no-deid", "--to",
                   stage.path("patient.card"), "--out", handover)
        stage.begin("radiologist", "node")
        found = stage.pcim("patient", "patient", "register", handover, "--replicas", "2")
        stage.end("radiologist")
        shared[size] = found["image"]
        stage.begin("patient", "node")
        stage.until("both followers to have the body", lambda: all(
            stage.pinned(host, "body") >= done for host in ("follower1", "follower2")))
        stage.pcim("requestor", "requestor", "request", "--patient", stage.path("patient.card"), "--image",
                   shared[size], "--purpose", "TREAT")
        stage.end("patient")
        stage.begin("requestor", "node")
        stage.pcim("patient", "patient", "approve", shared[size], accounts[4]["address"], "--replicas", "2")
        stage.end("requestor")
        print(f"{size} MB: registered, approved, held by two followers", file=sys.stderr)

    print("\n| image | link alone | two followers | one killed after a third |")
    print("|---|---|---|---|")
    for size in sizes:
        alone = size * 8e6 / RATE
        times = {False: [], True: []}
        for kill in (False, True):
            for run in range(runs):
                times[kill].append(fetch(stage, shared[size], kill, alone))
        both, one = (f"{statistics.median(times[kill]):.1f} s" for kill in (False, True))
        print(f"| {size} MB | {alone:.1f} s | {both} | {one} |", flush=True)


def fetch(stage, image, kill, alone):
    """Fetches with a fresh copy of the requestor's home; with `kill`, the follower that serves most dies on the way."""
    for host in ("follower1", "follower2"):
        if host not in stage.running:
            stage.begin(host, "node", "--follow-chain")
    home = stage.path("fetching")
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(stage.path("requestor"), home)
    with open(os.path.join(home, "config.toml")) as file:
        config = file.read()
    ways = {5001: ("follower1", 4001), 5002: ("follower2", 4001), 5003: ("chain", 8547)}
    for port, (host, there) in ways.items():
        config = config.replace(f"/ip4/{ip(host)}/tcp/{there}/", f"/ip4/127.0.0.1/tcp/{port}/")
        config = config.replace(f"http://{ip(host)}:{there}", f"http://127.0.0.1:{port}")
    with open(os.path.join(home, "config.toml"), "w") as file:
        file.write(config)
    link = [f"{port},{ip(host)},{there}" for port, (host, there) in ways.items()]
    stage.running["link"] = subprocess.Popen(
        ["ip", "netns", "exec", ns("requestor"), sys.executable, os.path.abspath(__file__), "--link", *link],
        stdout=subprocess.PIPE, text=True)
    stage.running["link"].stdout.readline()
    start = time.time()
    process = subprocess.Popen(stage.argv("requestor", ["requestor", "fetch", image, "--out", stage.path("out.dcm"),
                               "--force"], "fetching"), env=stage.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if kill:
        time.sleep(max(alone / 3, 0.5))
        stage.end("follower1", signal.SIGKILL)
    _, error = process.communicate()
    took = time.time() - start
    stage.end("link", signal.SIGKILL)
    if process.returncode:
        sys.exit(f"fetch failed: {error}")
    return took


if __name__ == "__main__":
    main()
