"""outgate.app.owner"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from outgate.app.owner import as_owner

PROGRAM = (
    "import os, sys, pathlib; from outgate.app.owner import as_owner; as_owner(pathlib.Path(sys.argv[1])); print(os.getuid())"
)


def test_a_folder_that_is_not_there_or_ones_own_changes_nothing(tmp_path):
    before = os.geteuid()
    as_owner(tmp_path / "nothing")
    as_owner(tmp_path)
    assert os.geteuid() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_goes_on_as_the_one_whose_folder_it_is(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "65534"
