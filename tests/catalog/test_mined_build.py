"""Mining: pinned archives in, the same bytes out, every fault in a sentence."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import build
from build import FAMILIES, Family, Package, main
from fetch import Pin, cache, fetch, members
from write import Mined, MiningError, Part, described, first_named, fitted, read, variable, write

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
class Refunds:
    def create(self): return self._post("/refunds")
    def list(self): return self._get_api_list("/refunds")
    def get(self, refund_id): return self._get(path_template("/refunds/{refund_id}", refund_id=refund_id))
class AsyncRefunds:
    def create(self): return self._post("/other")
"""
TWO = (
    Mined(name="a.get", method="GET", template="/a/{id}"),
    Mined(name="a.list", method="GET", template="/a", params=("limit int query.limit",)),
)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A wheel in the cache, and its pin."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda source=SOURCE: _keep(source)


def _keep(source: str) -> Pin:
    cache().mkdir(parents=True, exist_ok=True)
    wheel = cache() / "groq-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("groq/resources/refunds.py", source)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wheel.rename(cache() / f"{digest}-{wheel.name}")
    return Pin(package="groq", registry="pypi", version="1.0", sha256=digest)


FAMILY = Family("groq", "stainless:groq", (Package("groq", "pypi", "Apache-2.0"),))


def _pinned(folder: Path, pin: Pin) -> None:
    folder.mkdir(exist_ok=True)
    source = {"package": pin.package, "registry": pin.registry, "version": pin.version, "sha256": pin.sha256}
    said = {"sources": [source], "files": {}, "captures": []}
    path = folder / "SOURCES.json"
    known = json.loads(path.read_text()) if path.exists() else said
    path.write_text(json.dumps(known | {"sources": said["sources"]}))


def _build(folder: Path, *arguments: str) -> int:
    return main(arguments, families=(FAMILY,), folder=folder)


def test_two_builds_give_the_same_bytes(kept, tmp_path):
    pin = kept()
    for name in ("one", "two"):
        _pinned(tmp_path / name, pin)
        assert _build(tmp_path / name) == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()} == {
        file.name: file.read_bytes() for file in (tmp_path / "two").iterdir()
    }


def test_what_is_recorded_is_package_version_digest_licence_and_count(kept, tmp_path):
    pin = kept()
    _pinned(tmp_path, pin)
    _build(tmp_path)
    said = json.loads((tmp_path / "SOURCES.json").read_text())
    assert said["sources"] == [
        {
            "package": "groq",
            "registry": "pypi",
            "version": "1.0",
            "sha256": pin.sha256,
            "licence": "Apache-2.0",
            "services": {"groq": 3},
        }
    ]
    content = (tmp_path / "groq.json.gz").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    facts = {"family": "groq", "sha256": digest, "operations": 3, "service": "groq", "part": "", "hosts": []}
    assert said["files"] == {"groq.json.gz": facts}
    assert said["captures"] == ["refund_id"]


def test_a_check_finds_a_file_that_is_not_what_its_package_gives(kept, tmp_path, capsys):
    _pinned(tmp_path, kept())
    _build(tmp_path)
    assert _build(tmp_path, "--check") == 0
    (tmp_path / "groq.json.gz").write_bytes(gzip.compress(b"{}"))
    assert _build(tmp_path, "--check") == 1
    assert "groq.json.gz is not the file that SOURCES.json records" in capsys.readouterr().out


def test_a_check_finds_a_file_that_was_built_from_something_else(kept, tmp_path, capsys):
    _pinned(tmp_path, kept())
    _build(tmp_path)
    _pinned(tmp_path, kept(SOURCE.replace('"/refunds"', '"/repayments"')))
    assert _build(tmp_path, "--check") == 1
    assert "groq.json.gz differs from what its packages give" in capsys.readouterr().out


def test_a_diff_says_what_comes_goes_and_changes(kept, tmp_path, capsys):
    _pinned(tmp_path, kept())
    _build(tmp_path)
    assert _build(tmp_path, "--diff") == 0
    _pinned(tmp_path, kept(SOURCE.replace("def create", "def make").replace("{refund_id}", "{refund_id}/all")))
    capsys.readouterr()
    assert _build(tmp_path, "--diff") == 1
    assert capsys.readouterr().out.splitlines() == [
        "- groq.json.gz refunds.create: POST /refunds",
        "~ groq.json.gz refunds.get: GET /refunds/{} · refund_id -> GET /refunds/{}/all · refund_id",
        "+ groq.json.gz refunds.make: POST /refunds",
    ]


def test_a_diff_says_that_hosts_change(kept, tmp_path, capsys):
    _pinned(tmp_path, kept())
    _build(tmp_path)
    said = read((tmp_path / "groq.json.gz").read_bytes())
    (tmp_path / "groq.json.gz").write_bytes(gzip.compress(json.dumps(said | {"hosts": ["x.test"]}).encode()))
    assert _build(tmp_path, "--diff") == 1
    assert capsys.readouterr().out.endswith("~ groq.json.gz: its hosts, or what its protocol needs beside\n")


def test_what_a_family_has_no_more_is_taken_away(kept, tmp_path):
    _pinned(tmp_path, kept())
    _build(tmp_path)
    said = json.loads((tmp_path / "SOURCES.json").read_text())
    said["files"]["groq.old.json.gz"] = {"family": "groq", "sha256": "", "operations": 1}
    (tmp_path / "SOURCES.json").write_text(json.dumps(said))
    (tmp_path / "groq.old.json.gz").write_bytes(write(Part(service="groq", part="old", operations=TWO)).content)
    assert _build(tmp_path) == 0
    assert not (tmp_path / "groq.old.json.gz").exists()


def test_an_archive_that_is_another_one_than_was_pinned_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache().mkdir()
    pinned = Pin(package="groq", registry="pypi", version="1.0", sha256="0" * 64)
    (cache() / f"{pinned.sha256}-groq-1.0-py3-none-any.whl").write_bytes(b"forged")
    monkeypatch.setattr("fetch._pip", _writes(b"another"))
    with pytest.raises(MiningError, match=r"pypi gives another groq 1\.0 than was pinned"):
        fetch(pinned)


def _writes(content: bytes):
    """Stand in for pip: a command that leaves one wheel."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[1], 'groq-1.0-py3-none-any.whl').write_bytes(bytes.fromhex(sys.argv[2]))"
    return lambda _package, _version, into: [sys.executable, "-c", code, str(into), content.hex()]


def test_a_package_that_can_not_be_fetched_is_said_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    assert _build(tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith("build.py: 'groq' could not be fetched: ")
    assert said.count("\n") == 1


def test_a_damaged_record_is_said_in_a_line(tmp_path, capsys):
    (tmp_path / "SOURCES.json").write_text("{")
    assert _build(tmp_path) == 1
    assert capsys.readouterr().err.startswith("build.py: SOURCES.json is damaged")


def test_a_damaged_archive_is_said_in_a_line(tmp_path):
    (tmp_path / "x.whl").write_bytes(b"none")
    with pytest.raises(MiningError, match=r"'x\.whl' can't be opened"):
        list(members(tmp_path / "x.whl", ".*"))


def test_the_pinned_wheel_comes_through_pip_and_gives_what_is_shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, build.__file__, "--check", "--only", "groq"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing differs\n", "")


def test_every_family_has_a_miner_of_its_own():
    assert len({family.name for family in FAMILIES}) == len({family.miner for family in FAMILIES}) == len(FAMILIES)


def test_the_order_of_operations_makes_no_difference():
    part = Part(service="a", operations=TWO)
    assert write(part) == write(replace(part, operations=TWO[::-1]))


def test_a_part_says_names_marks_captures_and_paths():
    said = read(write(Part(service="a", part="b", hosts=("x.test",), operations=TWO, meta={"k": 1})).content)
    assert said == {
        "outgate": "mined/v1",
        "service": "a",
        "part": "b",
        "hosts": ["x.test"],
        "operations": [["a.get", "", "", ["id"], []], ["a.list", "", "", [], ["limit int query.limit"]]],
        "paths": {"a": {"/": {"GET": 1}, "/1": {"/": {"GET": 0}}}},
        "meta": {"k": 1},
    }


def test_a_path_of_two_operations_is_told_and_marked():
    clash = (Mined(name="a.one", method="GET", template="/a/{x}"), Mined(name="a.two", method="GET", template="/a/{y}"))
    written = write(Part(service="a", operations=clash))
    said = read(written.content)
    assert written.clashes == ("a.json.gz: 'GET /a/{}' is a.one and a.two",)
    assert [row[2] for row in said["operations"]] == ["a", "a"]
    assert said["paths"]["a"]["/1"]["/"] == {"GET": [0, 1]}


def test_a_path_that_its_protocol_tells_apart_is_not_ambiguous():
    clash = (Mined(name="a.one", method="GET", template="/a"), Mined(name="a.two", method="GET", template="/a"))
    written = write(Part(service="a", operations=clash, told_apart=True))
    assert written.clashes == ()
    assert [row[2] for row in read(written.content)["operations"]] == ["", ""]


@pytest.mark.parametrize(
    ("raw", "name"),
    [("user-id", "user_id"), ("User", "user"), ("3rd", "n3rd"), ("limit", "limit_id"), ("path", "path"), ("$x.y", "x_y")],
)
def test_names_of_variables_are_made_to_fit(raw, name):
    assert variable(raw) == name


@pytest.mark.parametrize(
    ("raw", "template"),
    [
        ("/a/{x}/{x}", "/a/{x}/{x2}"),
        ("/a/{+rest}", "/a/{rest+}"),
        ("/a/{proxy+}/b", "/a/{proxy+}/b"),
        ("/a/{id}:cancel", "/a/{id}:cancel"),
    ],
)
def test_templates_are_made_to_fit(raw, template):
    assert fitted(raw) == template


@pytest.mark.parametrize("raw", ["a/b", "/a?b", "/a b", "/a#b", "/é"])
def test_what_is_no_template_is_refused(raw):
    with pytest.raises(MiningError, match="is no path template"):
        fitted(raw)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": ""}, "has no name"),
        ({"name": "a\n"}, "has no name"),
        ({"marks": "z"}, "has marks 'z'"),
        ({"method": "BREW"}, "has method 'BREW'"),
        ({"params": ("limit string query.limit",)}, "must be 'NAME KIND PLACE.FIELD'"),
        ({"params": ("amount int json.amount",)}, "must be 'NAME KIND PLACE.FIELD'"),
    ],
)
def test_an_operation_that_the_catalog_could_not_read_is_refused(changed, why):
    with pytest.raises(MiningError, match=why):
        write(Part(service="a", operations=(replace(TWO[0], **changed),)))


def test_of_several_functions_for_one_route_the_plainest_name_counts():
    both = [
        Mined(name=name, method="POST", template=f"/m/{{{at}}}") for at, name in zip("ab", ["x.parse", "x.create"], strict=True)
    ]
    assert [one.name for one in first_named(both)] == ["x.create"]


def test_a_file_says_of_each_operation_all_that_is_known():
    assert described(read(write(Part(service="a", operations=TWO)).content)) == {
        "a.get": ("GET /a/{} · id",),
        "a.list": ("GET /a · limit int query.limit",),
    }


@pytest.mark.parametrize(
    ("first", "second", "marked"),
    [
        ("/a/{x}", "/{y}/b", True),
        ("/a/{x}", "/{y}/{z}", False),
        ("/a/b", "/a/{z}", False),
        ("/a/{x}", "/b/{y}", False),
        ("/{x}:go/b", "/a:go/{y}", True),
        ("/{x}:go/b", "/a:stop/{y}", False),
        ("/{x}:go/b", "/{x}/{y}", False),
        ("/a/{x}/c", "/{y}/b/c", True),
        ("/a/{x}/c", "/{y}/b/d", False),
    ],
)
def test_templates_that_cross_each_other_are_marked(first, second, marked):
    both = (Mined(name="one", method="GET", template=first), Mined(name="two", method="GET", template=second))
    assert [row[2] for row in read(write(Part(service="a", operations=both)).content)["operations"]] == (
        ["a", "a"] if marked else ["", ""]
    )
    apart = (both[0], replace(both[1], method="POST"))
    assert {row[2] for row in read(write(Part(service="a", operations=apart)).content)["operations"]} == {""}


def test_of_two_that_are_alike_the_one_that_says_more_counts_in_whatever_order_they_came():
    less, more = replace(TWO[1], params=()), TWO[1]
    for both in ((less, more), (more, less)):
        assert read(write(Part(service="a", operations=both)).content)["operations"] == [
            ["a.list", "", "", [], ["limit int query.limit"]]
        ]
