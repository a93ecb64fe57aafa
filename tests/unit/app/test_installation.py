"""outgate.app.installation: what a gate runs from, so that no agent writes the next one."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import outgate
from outgate.app.installation import _twins, installation, names
from outgate.stores.shipped import shipped


def inside(path, folders):
    return any(folder == path or folder in path.parents for folder in folders)


def test_code_rules_and_environment_are_the_gates(tmp_path):
    found = installation({"UV_CACHE_DIR": str(tmp_path)})
    ours = (
        Path(outgate.__file__),
        shipped("rules"),
        shipped("certs"),
        Path(sysconfig.get_path("purelib"), "new.pth"),
        Path(os.__file__),
    )
    assert all(inside(path.resolve(), found) for path in ours)


def test_the_interpreter_and_its_environment_are(tmp_path):
    found = installation({"UV_CACHE_DIR": str(tmp_path)})
    assert inside(Path(sys.executable).resolve(), found)
    assert sys.prefix == sys.base_prefix or inside(Path(sys.prefix, "pyvenv.cfg"), found)


def test_what_a_cache_holds_of_the_same_file_is(tmp_path):
    mine, same, other = (tmp_path / at / "x.dist-info" / "METADATA" for at in ("site", "archive-v0/same", "archive-v0/other"))
    for file in (mine, same, other):
        file.parent.mkdir(parents=True)
    mine.touch()
    same.hardlink_to(mine)
    other.touch()
    assert list(_twins([tmp_path / "site"], {"UV_CACHE_DIR": str(tmp_path)})) == [tmp_path / "archive-v0" / "same"]


def test_the_program_on_the_path_is(tmp_path):
    (tmp_path / "outgate").write_text("#!/bin/sh\n")
    assert tmp_path / "outgate" in installation({"PATH": f"/usr/bin:{tmp_path}", "UV_CACHE_DIR": str(tmp_path)})


def test_a_name_that_a_shell_would_find_first_is_one_of_its_names(tmp_path):
    assert names({"PATH": f"bin:{tmp_path}"}) == (tmp_path / "outgate",)


def test_every_link_on_the_way_to_a_policy_is_one_of_its_names(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine.yaml").touch()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "outgate.yaml").symlink_to("folder/mine.yaml")
    assert set(names({}, tmp_path / "outgate.yaml")) == {tmp_path / "outgate.yaml", tmp_path / "folder"}


def test_links_that_lead_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert set(names({}, tmp_path / "a")) == {tmp_path / "a", tmp_path / "b"}
