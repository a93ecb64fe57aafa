"""Look-alikes of the Python and npm package indexes, with one tiny package each, built here."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

from clients.lookalikes import Answer

if TYPE_CHECKING:
    from clients.lookalikes import Ask

PACKAGE = "acme-tiny"
VERSION = "1.0.0"
_WHEEL_NAME = f"acme_tiny-{VERSION}-py3-none-any.whl"
_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


def wheel() -> bytes:
    """A wheel (PyPA, "Binary distribution format") with one module."""
    info = f"acme_tiny-{VERSION}.dist-info"
    files = {
        "acme_tiny.py": f'VERSION = "{VERSION}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: outgate-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_wheel_hash(text)},{len(text)}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def _wheel_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def npm_tarball() -> bytes:
    """What `npm pack` makes: a gzipped tar with everything under `package/`."""
    files = {
        "package.json": json.dumps({"name": PACKAGE, "version": VERSION, "main": "index.js"}),
        "index.js": "module.exports = 1\n",
    }
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


_WHEEL, _TARBALL = wheel(), npm_tarball()


def pypi(ask: Ask) -> Answer:
    """https://pypi.org/simple: PEP 503 and PEP 691."""
    if ask.path != f"/simple/{PACKAGE}/":
        return Answer(404, "text/plain", b"no such project\n")
    url = f"https://files.pythonhosted.org/packages/{_WHEEL_NAME}"
    digest = hashlib.sha256(_WHEEL).hexdigest()
    if _SIMPLE_JSON in ask.headers.get("accept", ""):
        file = {
            "filename": _WHEEL_NAME,
            "url": url,
            "hashes": {"sha256": digest},
            "requires-python": ">=3.8",
            "size": len(_WHEEL),
        }
        page = {"meta": {"api-version": "1.1"}, "name": PACKAGE, "versions": [VERSION], "files": [file]}
        return Answer(kind=_SIMPLE_JSON, body=json.dumps(page).encode())
    page_text = f'<!doctype html><title>{PACKAGE}</title><a href="{url}#sha256={digest}">{_WHEEL_NAME}</a>'
    return Answer(kind="text/html", body=page_text.encode())


def pythonhosted(ask: Ask) -> Answer:
    """https://files.pythonhosted.org: the wheel itself."""
    if not ask.path.endswith(_WHEEL_NAME):
        return Answer(404, "text/plain", b"no such file\n")
    return Answer(kind="application/octet-stream", body=_WHEEL)


def npm(ask: Ask) -> Answer:
    """https://registry.npmjs.org: a packument, its tarball, and nothing to audit."""
    if ask.path == f"/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz":
        return Answer(kind="application/octet-stream", body=_TARBALL)
    if ask.method == "POST":
        return Answer(body=b"{}")
    if ask.path != f"/{PACKAGE}":
        return Answer(404, body=b'{"error": "Not found"}')
    dist = {
        "tarball": f"https://registry.npmjs.org/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz",
        "shasum": hashlib.sha1(_TARBALL).hexdigest(),
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(_TARBALL).digest()).decode(),
    }
    version = {"name": PACKAGE, "version": VERSION, "main": "index.js", "dist": dist}
    packument = {"name": PACKAGE, "dist-tags": {"latest": VERSION}, "versions": {VERSION: version}}
    return Answer(body=json.dumps(packument).encode())
