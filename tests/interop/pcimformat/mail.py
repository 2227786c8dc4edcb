"""Network files, mail, and what a mailbox's owner signs (§13.13 to §13.15)."""

import hashlib
import re

from eth_account.messages import _hash_eip191_message, encode_typed_data

from . import backup, chain, papers, want

MAX_NETWORK = 65_536
MAX_URLS = 16
MAX_FOLLOWERS = 32
MAX_DOCUMENT = 81_920
MAX_SEALED = 278_528
MAX_QUESTION = 294_912
MAX_LISTED = 512
MAX_INVITATION = 4_096
SIZES = (32_768, 98_304, 245_760)

TERMS = "string name,bytes32 codeHash,address consortium,Rpc[] rpcs,string relay,string[] followers,string[] gateways,uint64 issuedAt,uint64 expiresAt"


class NetworkFile:
    """A network file that the key of its consortium signed."""

    def __init__(self, text):
        names = ("name", "chain_id", "contract", "code_hash", "consortium", "rpcs", "followers", "gateways", "issued_at", "expires_at", "signature")
        self.document = it = papers.read(text, "pcim-network", names, ("relay",), MAX_NETWORK)
        want(re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", it["name"]), "not a name")
        want(len(it["rpcs"]) <= MAX_URLS and len(it["gateways"]) <= MAX_URLS and len(it["followers"]) <= MAX_FOLLOWERS, "too many places")
        want(all(re.fullmatch("/[!-~]*/p2p/[!-~]*", at) and len(at) <= 512 for at in it["followers"]), "not a node")
        self.consortium, self.followers = papers.address(it["consortium"]), it["followers"]
        found = chain.recover(self.digest(), bytes.fromhex(it["signature"].removeprefix("0x")))
        want(found == self.consortium, f"a file of {self.consortium} that {found} signed")

    def digest(self):
        it = self.document
        message = {
            "name": it["name"], "codeHash": it["code_hash"], "consortium": it["consortium"], "relay": it.get("relay") or "",
            "rpcs": [{"url": rpc["url"], "insecure": rpc.get("insecure", False)} for rpc in it["rpcs"]],
            "followers": it["followers"], "gateways": it["gateways"], "issuedAt": it["issued_at"], "expiresAt": it["expires_at"],
        }
        domain = {"name": "PCIM network", "version": "1", "chainId": it["chain_id"], "verifyingContract": it["contract"]}
        types = {"NetworkFileTerms": chain.fields(TERMS), "Rpc": chain.fields("string url,bool insecure")}
        return _hash_eip191_message(encode_typed_data(domain, types, message))


class Mail:
    """A letter with a document, opened by its receiver (§13.14)."""

    def __init__(self, letter, own, owner):
        want(len(letter) <= MAX_SEALED, f"mail of {len(letter)} bytes")
        self.document, self.sender = backup.open_letter(letter, own, "pcim-mail", ("to", "sent_at", "kind", "document", "card"))
        want(papers.address(self.document["to"]) == owner, "mail for another")
        want(self.document["kind"] == "handover", "mail of another kind")
        self.contents, self.id = bytes.fromhex(self.document["document"]), hashlib.sha256(letter).digest()
        want(len(self.contents) <= MAX_DOCUMENT, "too long a document")
