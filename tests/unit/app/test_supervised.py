"""outgate.app.supervised"""

from __future__ import annotations

import socket

import pytest

from outgate.app.supervised import READY, tell


@pytest.mark.parametrize("abstract", [False, True])
def test_whoever_listens_is_told(tmp_path, abstract):
    place = f"@outgate-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind("\0" + place[1:] if abstract else place)
        supervisor.settimeout(20)
        tell({"NOTIFY_SOCKET": place}, READY)
        assert supervisor.recv(100) == b"READY=1"


@pytest.mark.parametrize("place", ["", "relative", "/nowhere/at/all", "@nobody-listens-here"])
def test_nobody_is_told_where_nobody_listens(place):
    tell({"NOTIFY_SOCKET": place}, READY)
    tell({}, READY)
