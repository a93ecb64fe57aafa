"""outgate.stores.policy_files"""

from __future__ import annotations

import pytest

from outgate.actions.catalog import Catalog
from outgate.errors import ConfigError
from outgate.policy.effect import Mode
from outgate.stores.catalog_files import load_catalog
from outgate.stores.policy_files import load_policies, policy_path

ALLOW = "{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}"
MINE = f"outgate: policy/v1alpha\npolicy: mine\nmode: observe\notherwise: {ALLOW}\n"


def test_a_starter_policy_is_found_by_its_name():
    assert policy_path("coding-agent").name == "coding-agent.yaml"
    assert load_policies(["coding-agent"], load_catalog()).name == "coding-agent"


def test_a_file_that_is_there_comes_before_a_name(tmp_path, monkeypatch):
    (tmp_path / "coding-agent").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    assert load_policies(["coding-agent"], Catalog()).name == "mine"


@pytest.mark.parametrize("name", ["codingagent", "../policies/coding-agent", "coding-agent.yaml", "", "/", "policies"])
def test_anything_else_is_an_error_that_names_what_there_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="give a file's path or one of coding-agent, deny-all"):
        policy_path(name)


def test_every_name_that_is_none_is_told(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as told:
        load_policies(["nor-this", "coding-agent", str(tmp_path / "latin.yaml"), "nor-that"], Catalog())
    assert ["nor-this" in (said := str(p)) or "latin.yaml" in said or "nor-that" in said for p in told.value.problems] == [
        True
    ] * 3


def test_a_mode_that_is_asked_for_is_over_that_of_every_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    assert load_policies([str(tmp_path / "mine.yaml")], Catalog()).mode is Mode.OBSERVE
    assert load_policies([str(tmp_path / "mine.yaml")], Catalog(), mode=Mode.ENFORCE).mode is Mode.ENFORCE
