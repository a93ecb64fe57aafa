"""Upstream trust: which certificates we believe, and which one we show, for each host."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from outgate.digest import sha256
from outgate.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.intake.destinations import Destinations

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, the BSDs
)


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


def write_bundle(folder: Path, extra: Iterable[Path] = ()) -> Path:
    """Write the system store, certifi and what the operator added (files or folders) as one PEM file in `folder`; give its path.

    Raises ConfigError for an extra that has no certificate in it: an operator who named it counts on it. The file is named by
    its content, so that gates with different extras share a folder.
    """
    named = list(extra)
    if broken := [problem for path in named if (problem := certificate_problem(path))]:
        raise ConfigError(*broken)
    known = dict.fromkeys(pem for path in (*_system(), Path(certifi.where()), *named) for pem in _in(path))
    text = "\n".join(known) + "\n"
    return _written(folder, f"upstream-{sha256(text.encode()).removeprefix('sha256:')[:16]}.pem", text)


def _system() -> Iterator[Path]:
    """The machine's store; not what the environment says of it, which is the agent's to write."""
    built_in = ssl.get_default_verify_paths()
    found = [Path(path) for path in (*_SYSTEM_FILES, built_in.openssl_cafile) if Path(path).is_file()]
    yield from found or [Path(built_in.openssl_capath)]


def certificate_problem(path: Path) -> str:
    """What keeps a file or folder from being trusted, as a sentence; empty where nothing does."""
    try:
        found = "\n".join(_in(path))
        if not found:
            return f"no certificate in {path}, name a PEM file or a folder of them"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ValueError, ssl.SSLError):
        return f"a certificate in {path} is broken, write it again"
    except OSError as error:
        return f"can't read {path}: {error.strerror or error}"
    return ""


def _in(path: Path) -> Iterator[str]:
    """Every certificate in a file or folder, one spelling each. Raises OSError, and ValueError for what is not base64."""
    for file in sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]:
        for found in _CERTIFICATE.findall(file.read_text("latin-1")):
            yield ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(found)).strip()


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{name}.", delete_on_close=False) as draft:
            draft.write(text)
            draft.close()
            os.replace(draft.name, path)  # noqa: PTH105  # from a name, not a Path
    except OSError as error:
        raise UnavailableError(f"can't write {path}: {error.strerror or error}") from error
    return path
