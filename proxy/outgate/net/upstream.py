"""Upstream trust: which certificates we believe, and which one we show, for each host."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.digest import sha256
from outgate.disk import Disk, make_folder, replace_whole
from outgate.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.intake.destinations import Destinations

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a connection to one host is verified with: `ca` is a PEM file, `client_cert` one with a key, if the host wants it."""

    ca: Path
    client_cert: Path | None = None


class UpstreamTrust:
    """Trust by host: the operator's `ca` alone where the table names one, else the bundle."""

    def __init__(self, *, bundle: Path, destinations: Destinations) -> None:
        self._bundle = bundle
        self._destinations = destinations

    def trust_for(self, host: str) -> Trust:
        """Of a canonical host."""
        said = self._destinations.of(host)
        return Trust(
            ca=Path(said.ca) if said.ca else self._bundle,
            client_cert=Path(said.client_cert) if said.client_cert else None,
        )


def write_bundle(folder: Path, roots: Iterable[bytes]) -> Path:
    """Write every certificate in `roots` (PEM: the system's, certifi's, what the operator inherited) to one file; give its path.

    The file is named by its content, so that gates with different roots share a folder. Raises ConfigError where there is no
    certificate at all, UnavailableError where the folder can't be written.
    """
    blocks = dict.fromkeys(found for pem in dict.fromkeys(roots) for found in _blocks(pem.decode("latin-1")))
    known = list(blocks) if _all_read("\n".join(blocks), len(blocks)) else [block for block in blocks if _all_read(block, 1)]
    if not known:
        raise ConfigError("no root certificate on this machine, install the package ca-certificates")
    text = "\n".join(known) + "\n"
    return _written(folder, f"upstream-{sha256(text.encode()).removeprefix('sha256:')[:16]}.pem", text)


def _blocks(pem: str) -> Iterator[str]:
    """One spelling of each certificate."""
    for block in _CERTIFICATE.findall(pem):
        with suppress(ValueError):
            yield ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(block)).strip()


def _all_read(pem: str, count: int) -> bool:
    """Whether OpenSSL reads as many. A block that it would not read is no root, and would spoil the others' file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=pem)
    except (ValueError, ssl.SSLError):
        return False
    return context.cert_store_stats()["x509"] == count


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    try:
        make_folder(Disk(), folder)
        replace_whole(path, text.encode())
    except OSError as error:
        raise UnavailableError(f"can't write {path}: {error.strerror or error}") from error
    return path
