"""Seeds that follow from what a job is, not from when it runs."""

import hashlib
import json


def derive_seed(seed: int, *identity: str) -> int:
    """Return a 31-bit seed for one use of randomness: the configured seed and the use's own name.

    Jobs that differ in any part of `identity` draw independent numbers; adding a job changes no other.
    """
    key = json.dumps([seed, *identity]).encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "big") >> 1
