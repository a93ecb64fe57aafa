"""outgate.stores.people_files"""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from outgate.digest import sha256
from outgate.errors import ConfigError, UnavailableError
from outgate.keys.people import People
from outgate.keys.ssh import fingerprint
from outgate.stores.people_files import Change, add, json_schema, keys_in, load_people, read_people, remove

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {"ed25519": [], "ecdsa256": ["-b", "256"], "ecdsa384": ["-b", "384"], "ecdsa521": ["-b", "521"], "rsa": ["-b", "2048"]}
HEAD = "outgate: people/v1alpha\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Public keys as ssh-keygen writes them, with a comment."""
    folder = tmp_path_factory.mktemp("keys")
    keygen = shutil.which("ssh-keygen")
    assert keygen is not None, "tests/run installs it"
    found = {}
    for name, options in {**KINDS, "other": [], "weak": ["-b", "1024"]}.items():
        kind = {"other": "ed25519", "weak": "rsa"}.get(name, name.rstrip("0123456789") if name != "ed25519" else name)
        command = [keygen, "-q", "-N", "", "-C", f"alice@{name}", "-t", kind, *options, "-f", str(folder / name)]
        subprocess.run(command, check=True)
        found[name] = (folder / f"{name}.pub").read_text().strip()
    return found


def plain(key: str) -> str:
    return " ".join(key.split()[:2])


def wrong(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read_people(text, "people.yaml")
    return [str(problem) for problem in raised.value.problems]


def unused(_change: Change) -> None:
    """Nobody has to be told first."""


def test_no_file_is_nobody(tmp_path: Path) -> None:
    assert load_people(tmp_path / "people.yaml") == People()


def test_people_have_groups_and_keys_without_their_comments(made: dict[str, str]) -> None:
    text = f"{HEAD}people:\n  alice: {{groups: [ops, leads], keys: ['{made['ed25519']}', '{made['rsa']}']}}\n  bob: {{keys: '{made['other']}'}}\n"
    people = read_people(text, "people.yaml")
    assert set(people.by_name) == {"alice", "bob"}
    alice, bob = people.by_name["alice"], people.by_name["bob"]
    assert (alice.groups, alice.keys) == ({"ops", "leads"}, (plain(made["ed25519"]), plain(made["rsa"])))
    assert (bob.groups, bob.keys) == (frozenset(), (plain(made["other"]),))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key_that_ssh_keygen_makes_may_be_somebodys(made: dict[str, str], kind: str) -> None:
    assert read_people(f"{HEAD}people: {{alice: {{keys: ['{made[kind]}']}}}}", "x").by_name["alice"].keys == (plain(made[kind]),)


def in_a_device() -> str:
    """A hardware key as OpenSSH writes it (PROTOCOL.u2f): its kind, the key itself, the application."""
    parts = (b"sk-ssh-ed25519@openssh.com", bytes(range(32)), b"ssh:")
    blob = b"".join(len(part).to_bytes(4) + part for part in parts)
    return f"sk-ssh-ed25519@openssh.com {base64.b64encode(blob).decode()}"


def test_a_key_in_a_device_may_be_somebodys() -> None:
    people = read_people(f"{HEAD}people: {{alice: {{keys: '{in_a_device()} alice@token'}}}}", "x")
    assert people.by_name["alice"].keys == (in_a_device(),)


def test_the_digest_is_of_who_may_and_not_of_how_it_is_written(made: dict[str, str]) -> None:
    one = read_people(f"{HEAD}people: {{alice: {{groups: [b, a], keys: ['{made['ed25519']}']}}}}", "x")
    other = read_people(f"# hello\n{HEAD}people:\n  alice:\n    keys: {plain(made['ed25519'])}\n    groups: [a, b]\n", "y")
    fewer = read_people(f"{HEAD}people: {{alice: {{groups: [a], keys: ['{made['ed25519']}']}}}}", "x")
    assert one.digest == other.digest != fewer.digest
    assert one.digest.startswith("sha256:")


def test_all_that_is_wrong_is_said_at_once_with_its_place(made: dict[str, str]) -> None:
    text = f"""{HEAD}people:
  alice:
    keys: [{plain(made["weak"])}, ssh-dss AAAA, {plain(made["ed25519"])} x]
  bob:
    keys: [{plain(made["other"])}, {plain(made["ed25519"])}]
  ann: {{keys: [{plain(made["other"])} one, {plain(made["other"])} two]}}
"""
    said = wrong(text)
    assert [line.split(":")[1] for line in said] == ["4", "4", "6", "7", "7"]
    assert "an RSA key of 1024 bits is not accepted" in said[0]
    assert "a key of kind 'ssh-dss' is not accepted" in said[1]
    assert "this is a key of 'alice' too" in said[2]
    assert "this is a key of 'bob' too" in said[3]


def test_a_key_with_two_comments_is_one_key(made: dict[str, str]) -> None:
    key = plain(made["ed25519"])
    (said,) = wrong(f"{HEAD}people: {{alice: {{keys: [{key} laptop, {key} desk]}}}}")
    assert "this key is here twice, keep one" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("people: {}", "lacks 'outgate'"),
        ("outgate: people/v9\n", "unknown people language"),
        (HEAD + "people: {Alice: {keys: a}}", "'Alice' can't name people"),
        (HEAD + "people: {'group:ops': {keys: a}}", "can't name people"),
        (HEAD + "people: {'*': {keys: a}}", "can't name people"),
        (HEAD + "people: {alice: {}}", "a person lacks 'keys'"),
        (HEAD + "people: {alice: {keys: []}}", "an empty list"),
        (HEAD + "people: {alice: {keys: a, gruops: [ops]}}", "did you mean 'groups'?"),
        (HEAD + "people: {alice: {keys: a, groups: ['group:ops']}}", "a group is 1 to 64 letters"),
        (HEAD + "people: {alice: {keys: a}, alice: {keys: b}}", "'alice' is here twice"),
        (HEAD + "people: [alice]", "'people' is a table of people, not a list"),
        ("# nobody yet\n", "the people file is a table with outgate, not nothing"),
    ],
)
def test_what_is_not_of_the_form_is_refused_with_the_remedy(text: str, message: str) -> None:
    assert any(message in line for line in wrong(text))


def test_options_before_a_key_are_no_key(made: dict[str, str]) -> None:
    (said,) = wrong(f"{HEAD}people: {{alice: {{keys: ['cert-authority {made['ed25519']}']}}}}")
    assert "is not accepted" in said


def test_the_keys_of_a_file_are_read_line_by_line(made: dict[str, str]) -> None:
    text = f"# from the agent\n\n{made['ed25519']}\r\n  {made['rsa']}\n{made['ed25519']}\n"
    assert keys_in(text, "-") == (plain(made["ed25519"]), plain(made["rsa"]))


def test_what_is_no_key_is_named_by_its_line(made: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as raised:
        keys_in(f"{made['ed25519']}\nhello\n{made['weak']}\n", "k.pub")
    assert [problem.line for problem in raised.value.problems] == [2, 3]
    with pytest.raises(ConfigError, match="there is no key here"):
        keys_in("\n# none\n", "k.pub")


def test_a_private_key_is_refused_and_not_shown() -> None:
    secret = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
    with pytest.raises(ConfigError, match="this is a private key: keep it") as raised:
        keys_in(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----\n", "id_ed25519")
    assert secret not in str(raised.value)


# changing


def test_who_is_added_is_there(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "conf" / "people.yaml"
    change = add(path, "alice", [plain(made["ed25519"])], ["ops"], first=unused)
    assert change.after == load_people(path)
    assert (change.before, change.is_none) == (People(), False)
    assert change.after.by_name["alice"].keys == (plain(made["ed25519"]),)
    assert path.read_text().startswith("# Who may approve")
    assert path.stat().st_mode & 0o037 == 0


def test_keys_and_groups_are_added_to_who_is_there_and_comments_stay(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(
        f"# ours\n{HEAD}people:\n  # the boss\n  alice: {{groups: [ops], keys: [{made['ed25519']}]}}\n  # and\n  bob: {{keys: {made['other']}}}\n"
    )
    add(path, "alice", [plain(made["rsa"]), plain(made["ed25519"])], ["leads", "ops"], first=unused)
    alice = load_people(path).by_name["alice"]
    assert (alice.groups, alice.keys) == ({"ops", "leads"}, (plain(made["ed25519"]), plain(made["rsa"])))
    text = path.read_text()
    assert text.startswith("# ours\n")
    assert "  # the boss\n" in text
    assert f"  # and\n  bob: {{keys: {made['other']}}}\n" in text
    assert made["ed25519"] in text, "a key keeps its comment"


def test_what_is_there_already_changes_nothing(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    add(path, "alice", [plain(made["ed25519"])], ["ops"], first=unused)
    before = path.read_bytes(), path.stat().st_mtime_ns
    told: list[Change] = []
    assert add(path, "alice", [plain(made["ed25519"])], [], first=told.append).is_none
    assert told == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_key_of_somebody_else_is_refused_and_nothing_is_changed(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    add(path, "alice", [plain(made["ed25519"])], [], first=unused)
    before = path.read_text()
    with pytest.raises(ConfigError, match="this is a key of 'alice' too"):
        add(path, "bob", [plain(made["ed25519"])], [], first=unused)
    with pytest.raises(ConfigError, match="'Bob' can't name people"):
        add(path, "Bob", [plain(made["other"])], [], first=unused)
    with pytest.raises(ConfigError, match="a person lacks 'keys'"):
        add(path, "bob", [], ["ops"], first=unused)
    assert path.read_text() == before


def test_nobody_is_added_where_the_record_can_not_be_kept(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"

    def unrecorded(change: Change) -> None:
        assert set(change.after.by_name) == {"alice"}
        raise UnavailableError("the disk is full")

    with pytest.raises(UnavailableError, match="the disk is full"):
        add(path, "alice", [plain(made["ed25519"])], [], first=unrecorded)
    assert not path.exists()


def test_a_file_that_is_wrong_is_not_added_to(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(HEAD + "people: {alice: {keys: nonsense}}\n")
    with pytest.raises(ConfigError, match="a key of kind 'nonsense'"):
        add(path, "bob", [plain(made["other"])], [], first=unused)


def test_who_is_removed_is_gone_and_comments_stay(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(
        f"# ours\n{HEAD}people:\n  alice:\n    groups: [ops]\n    keys: {made['ed25519']}\n  # and\n  bob: {{keys: {made['other']}}}\n# end\n"
    )
    assert set(remove(path, "alice").after.by_name) == {"bob"}
    assert path.read_text() == f"# ours\n{HEAD}people:\n  # and\n  bob: {{keys: {made['other']}}}\n# end\n"
    assert remove(path, "bob").after.by_name == {}
    assert path.read_text() == f"# ours\n{HEAD}people: {{}}\n  # and\n# end\n"
    assert load_people(path).by_name == {}
    add(path, "ann", [plain(made["rsa"])], [], first=unused)
    assert set(load_people(path).by_name) == {"ann"}


def test_somebody_is_removed_from_a_file_on_one_line(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(
        f'{{outgate: people/v1alpha, people: {{alice: {{keys: "{made["ed25519"]}"}}, bob: {{keys: "{made["other"]}"}}}}}}\n'
    )
    remove(path, "alice")
    assert set(load_people(path).by_name) == {"bob"}


def test_who_is_not_there_can_not_be_removed(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    add(path, "alice", [plain(made["ed25519"])], [], first=unused)
    with pytest.raises(ConfigError, match=r"there is no 'alcie', did you mean 'alice'\?"):
        remove(path, "alcie")


def test_one_key_is_removed_by_its_fingerprint_but_not_the_only_one(tmp_path: Path, made: dict[str, str]) -> None:
    path = tmp_path / "people.yaml"
    add(path, "alice", [plain(made["ed25519"]), plain(made["rsa"])], ["ops"], first=unused)
    after = remove(path, "alice", fingerprint(made["ed25519"])).after
    assert (after.by_name["alice"].keys, after.by_name["alice"].groups) == ((plain(made["rsa"]),), {"ops"})
    with pytest.raises(ConfigError, match="'alice' has no key SHA256:nothing"):
        remove(path, "alice", "SHA256:nothing")
    with pytest.raises(ConfigError, match="that is the only key of 'alice'"):
        remove(path, "alice", fingerprint(made["rsa"]))


def test_its_form_is_given_to_editors() -> None:
    assert json_schema()["required"] == ["outgate"]


def test_a_digest_is_never_that_of_nobody(made: dict[str, str]) -> None:
    assert People().digest == ""
    assert read_people(HEAD, "x").digest == sha256(b"{}")
    assert read_people(f"{HEAD}people: {{a: {{keys: {made['ed25519']}}}}}", "x").digest != sha256(b"{}")
