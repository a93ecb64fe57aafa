"""outgate.cli.ca"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from outgate.ca.authority import fingerprint
from outgate.ca.roots import certificates
from outgate.cli.ca import app
from outgate.errors import ConfigError, UnavailableError
from outgate.stores.logs import log_folder, receipts_of, writers


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))

    def one(*words, code=0):
        result = CliRunner().invoke(app, list(words))
        if isinstance(result.exception, ConfigError | UnavailableError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return one


def prints(pem: str) -> list[str]:
    return [fingerprint(one) for one in certificates(pem.encode())]


def shown(run) -> list[tuple[str, str]]:
    return [(row["does"], row["sha256"]) for row in json.loads(run("show", "--json"))]


def test_what_is_exported_is_what_is_shown_and_no_key(run, tmp_path):
    pem = run("export")
    assert "PRIVATE" not in pem
    assert [("signs", one) for one in prints(pem)] == shown(run)
    run("export", "--out", str(tmp_path / "ca.pem"))
    assert (tmp_path / "ca.pem").read_text() == pem
    with pytest.raises(UnavailableError, match="can't be written"):
        run("export", "--out", str(tmp_path / "nowhere" / "ca.pem"))


def test_the_public_roots_come_with_it_where_that_is_asked(run):
    both = prints(run("export", "--with-roots"))
    assert both[0] == prints(run("export"))[0]
    assert len(both) > 50


def test_a_rotation_without_a_gap_is_three_steps_each_with_its_receipt(run, tmp_path):
    (old,) = prints(run("export"))
    run("rotate", "--prepare")
    before = shown(run)
    assert [does for does, _ in before] == ["signs", "next"]
    run("rotate")
    assert shown(run) == [("signs", before[1][1]), ("signed", old)]
    assert prints(run("export")) == [before[1][1], old]
    run("rotate", "--finish")
    assert shown(run) == [("signs", before[1][1])]
    receipts = [one for folder in writers(log_folder(tmp_path / "state")) for one in receipts_of(folder)]
    assert [one.type for one in receipts if one.type.startswith("ca-")] == ["ca-prepared", "ca-rotated", "ca-finished"]
    assert {one.fields["about"]["sha256"] for one in receipts if one.type.startswith("ca-")} == {before[1][1]}


def test_it_reads_at_eighty_columns(run):
    run("rotate")
    run("rotate", "--prepare")
    said = run("show") + run("rotate")
    assert max(map(len, said.splitlines())) <= 80


def test_two_steps_at_once_are_none(run):
    with pytest.raises(ConfigError, match="not both"):
        run("rotate", "--prepare", "--finish")
