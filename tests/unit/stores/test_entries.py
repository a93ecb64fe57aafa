"""outgate.stores.entries"""

from __future__ import annotations

import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.document import parse
from outgate.errors import ConfigError, UnavailableError
from outgate.stores.entries import alone_with, replace_text, with_entry, without_entry
from outgate.stores.texts import LARGEST, text_of

FILE = """\
# Who may come in.
outgate: agents/v1alpha

agents:
  # Sends mail.
  mailer: {team: ops}   # since spring
  payer:
    team: finance
    permissions: [pay,
      read]

  # The last one.
  reader: {team: ops}

# The end.
"""


def value(text):
    return parse(text, "agents.yaml").value


def test_a_new_entry_comes_after_the_others_and_nothing_else_changes():
    changed = with_entry(FILE, "agents.yaml", "agents", "writer", {"team": "ops", "labels": {"tier": "gold"}})
    line = "  writer: {team: ops, labels: {tier: gold}}\n"
    assert changed == FILE.replace("  reader: {team: ops}\n", f"  reader: {{team: ops}}\n{line}")


def test_a_changed_entry_takes_its_own_lines_and_no_others():
    changed = with_entry(FILE, "agents.yaml", "agents", "payer", {"team": "finance", "revoked": True})
    assert changed.count("#") == FILE.count("#")
    assert value(changed)["agents"] == {**value(FILE)["agents"], "payer": {"team": "finance", "revoked": True}}
    assert "read]" not in changed


@pytest.mark.parametrize("text", ["outgate: agents/v1alpha\n", "outgate: agents/v1alpha\nagents: {}\n", "agents:\noutgate: x\n"])
def test_the_first_entry_makes_the_table(text):
    assert value(with_entry(text, "f", "agents", "a", {"team": "x"}))["agents"] == {"a": {"team": "x"}}


def test_an_empty_file_is_begun():
    assert value(with_entry("", "f", "agents", "a", {"team": "x"})) == {"agents": {"a": {"team": "x"}}}


def test_what_stands_in_one_line_is_written_anew():
    text = "{outgate: agents/v1alpha, agents: {a: {team: x}, b: {observe: true}}}\n"
    changed = with_entry(text, "f", "agents", "b", {"observe": False})
    assert value(changed) == {"outgate": "agents/v1alpha", "agents": {"a": {"team": "x"}, "b": {"observe": False}}}


def test_a_text_that_is_no_yaml_is_not_changed():
    with pytest.raises(ConfigError, match="not YAML"):
        with_entry("agents: {", "agents.yaml", "agents", "a", {})


_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_name = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,9}", fullmatch=True)
_entry = st.dictionaries(
    st.sampled_from(["team", "owner", "x"]), _text | st.booleans() | st.integers() | st.lists(_text), max_size=3
)


@given(st.dictionaries(_name, _entry, max_size=4), _name, _entry, st.booleans())
def test_whatever_is_written_is_read_back_with_all_that_was_there(entries, name, entry, again):
    text = "# top\noutgate: agents/v1alpha\n"
    for one, said in entries.items():
        text = with_entry(text, "f", "agents", one, said)
    text = with_entry(text, "f", "agents", name, entry)
    if again:
        text = with_entry(text, "f", "agents", name, entry)
    assert value(text)["agents"] == {**entries, name: entry}
    assert text.startswith("# top\n")


def test_a_text_is_replaced_whole_and_keeps_its_mode_and_its_link(tmp_path):
    file = tmp_path / "real.yaml"
    file.write_text("a: 1\n")
    file.chmod(0o604)
    link = tmp_path / "agents.yaml"
    link.symlink_to(file)
    replace_text(link, "b: 2\n")
    assert link.is_symlink()
    assert text_of(link) == file.read_text() == "b: 2\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agents.yaml", "real.yaml"]


def test_a_new_file_is_not_for_everybody(tmp_path):
    replace_text(tmp_path / "agents.yaml", "a: 1\n")
    assert stat.S_IMODE((tmp_path / "agents.yaml").stat().st_mode) == 0o640


def test_what_can_not_be_written_leaves_what_was_there(tmp_path):
    (tmp_path / "agents.yaml").mkdir()
    with pytest.raises(UnavailableError, match="can't be written"):
        replace_text(tmp_path / "agents.yaml", "a: 1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["agents.yaml"]


def test_what_would_be_too_large_to_be_read_again_is_not_written(tmp_path):
    path = tmp_path / "agents.yaml"
    replace_text(path, "a: 1\n")
    with pytest.raises(UnavailableError, match="is full"):
        replace_text(path, "#" * (LARGEST + 1))
    assert text_of(path) == "a: 1\n"


def test_two_who_change_a_file_do_so_one_after_the_other(tmp_path):
    path = tmp_path / "deep" / "agents.yaml"

    def add(number):
        for one in range(5):
            with alone_with(path):
                replace_text(path, with_entry(text_of(path, absent=""), "f", "agents", f"a{number}-{one}", {}))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(value(path.read_text())["agents"]) == 20


@pytest.mark.parametrize("name", ["mailer", "payer", "reader"])
def test_an_entry_is_taken_out_with_its_lines_and_no_others(name):
    changed = without_entry(FILE, "agents.yaml", "agents", name)
    whole = value(FILE)
    del whole["agents"][name]
    assert value(changed) == whole
    assert changed.count("\n  #") == FILE.count("\n  #")
    assert changed.endswith("\n# The end.\n")


@pytest.mark.parametrize(
    "text", ["a: x\nt:\n  one: {k: 1}\n", "t: {one: {k: 1}}\na: x\n", "{t: {one: {k: 1}}, a: x}\n", "t:\n one:\n  k: 1\na: x"]
)
def test_the_last_entry_leaves_an_empty_table(text):
    assert value(without_entry(text, "f", "t", "one")) == {"a": "x", "t": {}}
    assert value(without_entry(text, "f", "t", "two")) == value(text)
