"""Seeds that depend on nothing but what they are for.

A seed is derived from a purpose ("init", "order", "augment", ...), the children it concerns and a seed
index, so that neither workers, their order nor restarts can change a number.

    derive("order", "3b1f...", 0)
"""

from __future__ import annotations

import hashlib


def derive(*parts: str | int) -> int:
    """A seed in [0, 2**63), from SHA-256 of the parts. Equal parts give equal seeds, for ever."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
