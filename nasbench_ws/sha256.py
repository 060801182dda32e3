"""SHA-256 that is quick to begin: Python's own, for OpenSSL's takes 4 ms to load, a fifth of a first query's time.

    sha256(b"...").hexdigest()
    sha256(size=10**8)            # of that many bytes to come: OpenSSL's, several times faster once it is there

The digests are the same. No torch here.
"""

from __future__ import annotations

from typing import Any

try:
    from _sha2 import sha256 as _small  # type: ignore[import-not-found]  # Python 3.12 and later; hashlib falls back on the same
except ImportError:
    try:
        from _sha256 import sha256 as _small  # type: ignore[import-not-found]
    except ImportError:  # another Python
        from hashlib import sha256 as _small

SMALL = 2**21  # bytes; some 10 ms


def sha256(data: bytes | memoryview = b"", size: int = 0) -> Any:
    """A hash object, as hashlib's."""
    if size > SMALL:
        import hashlib

        return hashlib.sha256(data)
    return _small(data)
