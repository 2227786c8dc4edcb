"""Blocks, trees, roots and CAR files (§2, §4.1)."""

import struct

import dag_cbor
from multiformats import CID, multihash

from . import Refused, want

RAW, DAG_PB = "raw", "dag-pb"
MAX_BLOCK = 1_048_576
MAX_NODE = 98_304
MAX_LINKS = 1_024
MAX_HEADER = 4_096
MAX_ROOT = 4_096
MAX_DEPTH = 8
MAX_CAR_BLOCKS = 1_048_576
MAX_CAR_ROOTS = 16
MAX_CID_TEXT = 128


def cid_of(codec, block):
    return CID("base32", 1, codec, multihash.digest(block, "sha2-256"))


def cid_named(codec, digest):
    return CID("base32", 1, codec, multihash.wrap(digest, "sha2-256"))


def digest_of(cid):
    want(cid.hashfun.name == "sha2-256", "another hash than sha2-256")
    return bytes(cid.raw_digest)


def digest_named(text, codec):
    """The digest that a text names (§1.4)."""
    if text.startswith("0x"):
        want(len(text) == 66, "not 64 hex digits")
        return bytes.fromhex(text[2:])
    want(len(text) <= MAX_CID_TEXT, "a CID that is too long")
    cid = CID.decode(text)
    want(cid.codec.name == codec and cid.encode() == text, f"not a {codec} CID in its canonical spelling")
    return digest_of(cid)


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


class Reader:
    """Takes bytes from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        want(self.at + count <= len(self.data), "cut off")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            [byte] = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                want(byte or not shift, "a varint that is not the shortest")
                return value
            shift += 7
            want(shift < 64, "a varint that is too long")

    def tagged(self, tag):
        want(self.take(1)[0] == tag, f"a field other than {tag:#x}")

    def bytes(self, tag):
        self.tagged(tag)
        return self.take(self.varint())

    def done(self):
        return self.at == len(self.data)


class Link:
    """A sub-tree as its parent describes it."""

    def __init__(self, cid, file_size, dag_size):
        self.cid, self.file_size, self.dag_size = cid, file_size, dag_size

    def __eq__(self, other):
        return (self.cid, self.file_size, self.dag_size) == (other.cid, other.file_size, other.dag_size)

    def is_leaf(self):
        return self.cid.codec.name == RAW


def leaf(block):
    return Link(cid_of(RAW, block), len(block), len(block))


def encode_node(links):
    """The one encoding of a node (§2.2)."""
    block, data = b"", b"\x08\x02\x18" + varint(sum(link.file_size for link in links))
    for link in links:
        cid = bytes(link.cid)
        entry = b"\x0a" + varint(len(cid)) + cid + b"\x12\x00\x18" + varint(link.dag_size)
        block += b"\x12" + varint(len(entry)) + entry
        data += b"\x20" + varint(link.file_size)
    return block + b"\x0a" + varint(len(data)) + data


def node(links):
    block = encode_node(links)
    sizes = [link.file_size for link in links], [link.dag_size for link in links]
    return Link(cid_of(DAG_PB, block), sum(sizes[0]), len(block) + sum(sizes[1])), block


def decode_node(block):
    """The links of a node, every size checked (§2.2)."""
    want(len(block) <= MAX_NODE, f"a node of {len(block)} bytes")
    reader, links = Reader(block), []
    while block[reader.at:reader.at + 1] == b"\x12":
        entry = Reader(reader.bytes(0x12))
        cid = CID.decode(bytes(entry.bytes(0x0A)))
        want(entry.bytes(0x12) == b"", "a link with a name")
        entry.tagged(0x18)
        links.append(Link(cid, 0, entry.varint()))
        want(entry.done(), "more in a link")
    data = Reader(reader.bytes(0x0A))
    want(reader.done(), "more after the node")
    data.tagged(0x08)
    want(data.varint() == 2, "another UnixFS type than File")
    data.tagged(0x18)
    size = data.varint()
    want(len(links) <= MAX_LINKS, f"{len(links)} links")
    for link in links:
        data.tagged(0x20)
        link.file_size = data.varint()
        want(link.cid.version == 1 and link.cid.codec.name in (RAW, DAG_PB), "a link to another kind of block")
        digest_of(link.cid)
        want(0 < link.file_size < 1 << 63, "a link of no size")
        fits = link.dag_size == link.file_size if link.is_leaf() else link.dag_size > link.file_size
        want(fits, "sizes of a link that do not fit")
    want(data.done() and size == sum(link.file_size for link in links), "sizes that do not add up")
    want(encode_node(links) == block, "another encoding")
    return links


def grow(data, chunk=MAX_BLOCK, fanout=MAX_LINKS):
    """A file as a tree (§2.3): the link to its root, and the blocks by CID."""
    blocks, level = {}, []
    for at in range(0, max(len(data), 1), chunk):
        link = leaf(data[at:at + chunk])
        blocks[link.cid] = data[at:at + chunk]
        level.append(link)
    while len(level) > 1:
        above = []
        for at in range(0, len(level), fanout):
            link, block = node(level[at:at + fanout])
            blocks[link.cid] = block
            above.append(link)
        level = above
    return level[0], blocks


def read_tree(link, blocks, depth=0):
    """The bytes of a file, every block checked (§2.3)."""
    if link.cid not in blocks:
        raise Refused(f"block {link.cid} is missing")
    block = blocks[link.cid]
    want(cid_of(link.cid.codec.name, block) == link.cid, "a block that is not what its CID says")
    if link.is_leaf():
        want(len(block) == link.file_size <= MAX_BLOCK, "a leaf of another length")
        return block
    want(depth < MAX_DEPTH, "a tree that is too deep")
    links = decode_node(block)
    want(sum(it.file_size for it in links) == link.file_size, "a tree of another file size")
    want(len(block) + sum(it.dag_size for it in links) == link.dag_size, "a tree of another dag size")
    return b"".join(read_tree(it, blocks, depth + 1) for it in links)


def tree_cids(link, blocks):
    """The CIDs of a tree, each once, a node before what is below it (§2.4)."""
    found, ahead = [], [link]
    while ahead:
        it = ahead.pop()
        if it.cid not in found:
            found.append(it.cid)
            ahead.extend([] if it.is_leaf() else reversed(decode_node(blocks[it.cid])))
    return found


class Root:
    """A sealed root taken apart (§4.1)."""

    def __init__(self, digest, blocks):
        cid = cid_named(DAG_PB, digest)
        want(cid in blocks, "the root is missing")
        block = blocks[cid]
        want(cid_of(DAG_PB, block) == cid, "the root is not what its CID says")
        want(len(block) <= MAX_ROOT, "a root that is too long")
        links = decode_node(block)
        want(len(links) == 2 and links[0].is_leaf(), "not a header and a body")
        want(links[0].file_size <= MAX_HEADER, "a header that is too long")
        self.digest, self.body_link = digest, links[1]
        self.header, self.body = (read_tree(link, blocks) for link in links)
        self.cids = [cid, links[0].cid, *tree_cids(links[1], blocks)]


def make_root(header, body):
    """A root over a header and a body: its digest, and the blocks in the order of a CAR file."""
    link, below = grow(body)
    root, block = node([leaf(header), link])
    blocks = {root.cid: block, leaf(header).cid: header, **below}
    order = [root.cid, leaf(header).cid, *tree_cids(link, blocks)]
    return digest_of(root.cid), {cid: blocks[cid] for cid in order}


def write_car(digest, blocks):
    """A CAR file (§2.4)."""
    header = dag_cbor.encode({"roots": [cid_named(DAG_PB, digest)], "version": 1})
    sections = [header, *(bytes(cid) + block for cid, block in blocks.items())]
    return b"".join(varint(len(section)) + section for section in sections)


PRAGMA = b"\x0a\xa1\x67version\x02"


def wrap_car(car, padding=b"", index=b""):
    """A file of version 2 around one of version 1."""
    at = 51 + len(padding)
    places = struct.pack("<QQQ", at, len(car), at + len(car) if index else 0)
    return PRAGMA + bytes(16) + places + padding + car + index


def read_car(data):
    """The digest of the one root, and the blocks (§2.4)."""
    if data.startswith(PRAGMA):
        at, length, index = struct.unpack("<QQQ", data[27:51])
        want(51 <= at <= 51 + 1_048_576 and length and at + length <= len(data) and (not index or index >= at + length), "other places")
        data = data[at:at + length]
        want(not data.startswith(PRAGMA), "a file of version 2 in another one")
    reader, blocks = Reader(data), {}
    header = bytes(reader.take(reader.varint()))
    said = dag_cbor.decode(header)
    want(isinstance(said, dict) and set(said) == {"roots", "version"} and said["version"] == 1, "not a CAR of version 1")
    want(dag_cbor.encode(said) == header and len(said["roots"]) <= MAX_CAR_ROOTS, "not the canonical header")
    while not reader.done():
        length = reader.varint()
        want(36 <= length <= 36 + MAX_BLOCK, "a section of another length")
        cid, block = CID.decode(bytes(reader.take(36))), bytes(reader.take(length - 36))
        want(cid_of(cid.codec.name, block) == cid, "a block that is not what its CID says")
        blocks[cid] = block
        want(len(blocks) <= MAX_CAR_BLOCKS, "too many blocks")
    [root] = said["roots"]
    return digest_of(root), blocks


def read_repository(folder):
    """All blocks of a home's repository (§11.9)."""
    blocks = {}
    for path in (folder / "blockstore").glob("*/*.data"):
        cid = CID.decode(path.stem)
        want(path.parent.name == cid.encode()[-3:-1], "a block in another folder")
        block = path.read_bytes()
        want(cid_of(cid.codec.name, block) == cid, "a block that is not what its CID says")
        blocks[cid] = block
    return blocks
