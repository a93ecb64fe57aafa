"""outgate.cli.people: what a person reads, and what is on record."""

from __future__ import annotations

import base64
import json
import os
import pwd
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from outgate.cli.people import app
from outgate.errors import ConfigError, UnavailableError
from outgate.keys.ssh import fingerprint
from outgate.stores.logs import all_receipts, log_folder
from outgate.stores.people_files import load_people

POINT = ec.derive_private_key(7, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.fixture(scope="module")
def pub(tmp_path_factory):
    """Files of public keys."""
    folder = tmp_path_factory.mktemp("keys")
    for name, kind in (("one", "ed25519"), ("two", "ecdsa")):
        command = [shutil.which("ssh-keygen"), "-q", "-N", "", "-C", "a@b", "-t", kind, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    return {name: folder / f"{name}.pub" for name in ("one", "two")}


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Run `outgate people …` with its own settings and state; give what came of it."""
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))

    def run(*words, stdin=None):
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, catch_exceptions=False)
        assert "--json" in words or all(len(line) <= 80 for line in result.output.splitlines() if not line.startswith("  /"))
        return result

    return run


@pytest.fixture
def people(tmp_path, typed):
    return lambda: load_people(tmp_path / "config" / "people.yaml").by_name


@pytest.fixture
def recorded(tmp_path, typed):
    return lambda: [receipt.fields["about"] for receipt in all_receipts(log_folder(tmp_path / "state"))]


def test_who_is_added_is_there_and_on_record(tmp_path, typed, people, recorded, pub):
    said = typed("add", "alice", pub["one"], "--group", "ops", "--group", "leads").stdout.splitlines()
    print_ = fingerprint(pub["one"].read_text())
    assert said == ["alice: added", "  groups leads, ops", f"  {print_} ed25519", f"  {tmp_path}/config/people.yaml"]
    assert people()["alice"].groups == {"ops", "leads"}
    (about,) = recorded()
    assert about["digest"] == load_people(tmp_path / "config" / "people.yaml").digest
    assert {key: about[key] for key in about if key != "digest"} == {
        "did": "add",
        "person": "alice",
        "groups": ["leads", "ops"],
        "added": [print_],
        "removed": [],
        "before": "",
        "by": pwd.getpwuid(os.getuid()).pw_name,
    }


def test_another_key_and_another_group_are_added_to_who_is_there(typed, people, recorded, pub):
    typed("add", "alice", pub["one"])
    assert typed("add", "alice", "-", stdin=pub["two"].read_text()).stdout.startswith("alice: changed\n")
    typed("add", "alice", "--group", "ops")
    assert (len(people()["alice"].keys), people()["alice"].groups) == (2, {"ops"})
    assert [len(about["added"]) for about in recorded()] == [1, 1, 0]
    assert recorded()[2]["before"] == recorded()[1]["digest"]


def test_what_is_there_already_is_said_and_leaves_no_receipt(typed, recorded, pub):
    typed("add", "alice", pub["one"])
    assert typed("add", "alice", pub["one"]).stdout.startswith("alice: nothing new\n")
    assert len(recorded()) == 1


def test_who_is_removed_is_gone_and_on_record(typed, people, recorded, pub):
    typed("add", "alice", pub["one"])
    assert typed("remove", "alice").stdout.startswith("alice: removed\n")
    assert people() == {}
    assert (recorded()[1]["did"], recorded()[1]["removed"]) == ("remove", [fingerprint(pub["one"].read_text())])


def test_one_key_is_removed(typed, people, recorded, pub):
    typed("add", "alice", pub["one"])
    typed("add", "alice", pub["two"])
    key = fingerprint(pub["one"].read_text())
    assert typed("remove", "alice", "--key", key).stdout.startswith(f"alice: key {key} removed\n")
    assert len(people()["alice"].keys) == 1
    assert recorded()[2]["removed"] == [key]


def test_everybody_is_listed_for_people_and_for_programs(tmp_path, typed, pub):
    assert typed("list").stdout.splitlines()[0] == "nobody yet: outgate people add alice KEY.pub"
    assert json.loads(typed("list", "--json").stdout) == []
    typed("add", "bob", pub["two"])
    typed("add", "alice", pub["one"], "--group", "ops")
    one, two = (fingerprint(pub[name].read_text()) for name in ("one", "two"))
    assert typed("list").stdout.splitlines() == ["alice", "  groups ops", f"  {one} ed25519", "bob", f"  {two} ecdsa-nistp256"]
    alice, bob = json.loads(typed("list", "--json").stdout)
    public = " ".join(pub["one"].read_text().split()[:2])
    key = {"kind": "ssh-ed25519", "fingerprint": one, "hardware": False, "public": public}
    assert alice == {"name": "alice", "groups": ["ops"], "keys": [key]}
    assert bob["groups"] == []


def test_a_key_in_a_device_is_told_from_others(typed):
    parts = (b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:")
    blob = base64.b64encode(b"".join(len(part).to_bytes(4) + part for part in parts)).decode()
    typed("add", "alice", "-", stdin=f"{parts[0].decode()} {blob} token\n")
    assert typed("list").stdout.splitlines()[1].endswith(" ecdsa-nistp256 (hardware)")
    assert json.loads(typed("list", "--json").stdout)[0]["keys"][0]["hardware"] is True


def test_the_file_that_settings_name_is_the_one(tmp_path, typed, pub):
    config = tmp_path / "ours.yaml"
    config.write_text("outgate: settings/v1alpha\npeople: staff.yaml\n")
    typed("add", "alice", pub["one"], "--config", config)
    assert set(load_people(tmp_path / "staff.yaml").by_name) == {"alice"}
    assert "alice" in typed("list", "--config", config).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", "alice"], "name a public key's file, or --group"),
        (["add", "alice", "--group", "ops"], "a person lacks 'keys'"),
        (["add", "alice", "github.com/alice.keys"], "nothing is fetched"),
        (["add", "alice", "https://github.com/alice.keys"], "nothing is fetched"),
        (["remove", "alice"], "there is no 'alice'"),
    ],
)
def test_what_can_not_be_done_says_what_to_do(typed, recorded, words, message):
    with pytest.raises(ConfigError, match=message):
        typed(*words)
    assert recorded() == []


def test_a_private_key_is_refused_and_not_shown(typed, people, pub):
    private = pub["one"].with_suffix("")
    with pytest.raises(ConfigError, match="this is a private key") as raised:
        typed("add", "alice", private)
    assert not any(line in str(raised.value) for line in private.read_text().splitlines()[1:-1])
    assert people() == {}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"hello", b""])
def test_what_is_no_key_is_refused(typed, people, tmp_path, content):
    (tmp_path / "k.pub").write_bytes(content)
    for words in (("add", "alice", tmp_path / "k.pub"), ("add", "alice", "-")):
        with pytest.raises(ConfigError):
            typed(*words, stdin=content)
    assert people() == {}


def test_nobody_is_added_without_a_receipt_and_somebody_removed_all_the_same(tmp_path, typed, people, pub):
    typed("add", "bob", pub["two"])
    shutil.rmtree(tmp_path / "state" / "log")
    (tmp_path / "state" / "log").write_text("in the way")
    with pytest.raises(UnavailableError, match="no log can be kept"):
        typed("add", "alice", pub["one"])
    assert set(people()) == {"bob"}
    with pytest.raises(UnavailableError, match="'bob' is removed, but THERE IS NO RECEIPT OF IT"):
        typed("remove", "bob")
    assert people() == {}
