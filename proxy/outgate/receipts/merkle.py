"""The Merkle tree of a log (RFC 6962, section 2.1), grown leaf by leaf and never held whole."""

from __future__ import annotations

from hashlib import sha256


class Tree:
    """A compact range: the roots of its perfect subtrees, largest first. 32 bytes for each bit of the size."""

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._peaks: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """How many leaves."""
        return self._size

    def add(self, entry: bytes) -> None:
        """Append one entry as a leaf."""
        node, size = sha256(b"\x00" + entry).digest(), self._size
        while size & 1:
            node = sha256(b"\x01" + self._peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)
        self._size += 1

    def root(self) -> bytes:
        """Give the tree hash; of an empty tree, the hash of nothing."""
        if not self._peaks:
            return sha256(b"").digest()
        node = self._peaks[-1]
        for left in self._peaks[-2::-1]:
            node = sha256(b"\x01" + left + node).digest()
        return node

    def copy(self) -> Tree:
        """Give a second tree to try something on."""
        other = Tree()
        other._peaks, other._size = [*self._peaks], self._size
        return other
