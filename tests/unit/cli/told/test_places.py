import io
import json
import sys
from pathlib import Path

import pytest

from outgate.cli.told import places
from outgate.cli.told.places import Place, told
from outgate.errors import ConfigError
from outgate.intake.request import WholeBody

CURL = "curl -X POST https://a.test/1 \\\n  -d x=1\ncurl https://a.test/2\n"
RAW = b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n"
HAR = json.dumps({"log": {"entries": [{"request": {"method": "PUT", "url": "https://a.test/h"}}]}})


@pytest.fixture
def given(monkeypatch):
    """What stands on the standard input."""

    def put(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return Place(line="-")

    return put


def lines(place):
    return [f"{call.raw.method.decode()} {call.raw.target.decode()}" for _, call in told(place)]


def test_what_stands_in_a_file_is_read_as_it_is_said_to_be(tmp_path):
    for name, content in [("c", CURL.encode()), ("r", RAW), ("h", HAR.encode())]:
        (tmp_path / name).write_bytes(content)
    assert lines(Place(curl=tmp_path / "c")) == ["POST /1", "GET /2"]
    assert lines(Place(raw=tmp_path / "r")) == ["GET /r"]
    assert lines(Place(har=tmp_path / "h")) == ["PUT /h"]
    assert lines(Place(line="curl https://a.test/x")) == ["GET /x"]


def test_the_standard_input_is_known_by_its_form(given):
    assert lines(given(CURL.encode())) == ["POST /1", "GET /2"]
    assert lines(given(RAW)) == ["GET /r"]
    assert lines(given(b"\xef\xbb\xbf" + HAR.encode())) == ["PUT /h"]


def test_files_that_a_command_sends_are_read_up_to_a_bound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("body").write_bytes(b"abc")
    ((_, call),) = told(Place(line="curl --data-binary @body https://a.test/"))
    assert call.body == WholeBody(b"abc")
    monkeypatch.setattr(places, "LARGEST_BODY", 2)
    with pytest.raises(ConfigError, match="larger than 2 bytes"):
        told(Place(line="curl -d @body https://a.test/"))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Place(), "say one request"),
        (Place(line="-", raw=Path("x")), "say one request"),
        (Place(curl=Path("missing")), "missing can't be read: No such file"),
        (Place(line="curl"), "has no URL"),
    ],
)
def test_what_can_not_be_read_is_told(place, said):
    with pytest.raises(ConfigError, match=said):
        told(place)


def test_what_is_endless_or_no_text_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ConfigError, match="not text"):
        told(Place(curl=tmp_path / "x"))
    monkeypatch.setattr(places, "LARGEST", 2)
    with pytest.raises(ConfigError, match="larger than 2 bytes"):
        told(Place(raw=tmp_path / "x"))
