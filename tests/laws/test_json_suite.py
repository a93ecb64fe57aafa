"""JSON as JSONTestSuite has it, and as Node reads it: what is accepted here has one value everywhere."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from outgate.intake.bodies import Undecodable, strict_json

FOLDER = Path(__file__).parents[1] / "cases" / "json"
OURS = yaml.safe_load((FOLDER / "ours.yaml").read_text())
NODE = """
const lines = require("fs").readFileSync(0, "latin1").split("\\n").slice(0, -1);
for (const line of lines) {
  const text = Buffer.from(line, "base64");
  try { console.log(JSON.stringify({read: JSON.parse(new TextDecoder("utf-8", {fatal: true, ignoreBOM: true}).decode(text))})); }
  catch (error) { console.log("{}"); }
}
"""


def _bytes(said: str | dict) -> bytes:
    text = said if isinstance(said, str) else said["repeat"] * said["times"] + said.get("then", "")
    return b"".join(b"\xe5" if character == "\ufffd" else character.encode() for character in text)


SUITE = {name: _bytes(said) for part in json.loads((FOLDER / "suite.json").read_text()).values() for name, said in part.items()}


def _wanted(name: str) -> bool:
    """Whether it is accepted."""
    if name in OURS["refused"]:
        return False
    return name in OURS["accepted"] or name.startswith("y_")


def test_the_suite_is_whole():
    kinds = [name[:2] for name in SUITE]
    assert (kinds.count("y_"), kinds.count("n_"), kinds.count("i_")) == (95, 188, 35)
    assert len(SUITE) == 318 + 22


def test_what_the_suite_leaves_open_is_said():
    said = {*OURS["refused"], *OURS["accepted"]}
    left_open = {name for name in SUITE if not name.startswith(("y_", "n_"))}
    assert said == left_open | {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}


@pytest.mark.parametrize("name", SUITE)
def test_a_text_is_accepted_or_refused_as_it_should(name):
    assert isinstance(strict_json(SUITE[name]), Undecodable) is not _wanted(name)


def _node(texts: list[bytes]) -> list[dict] | None:
    import base64

    if (node := shutil.which("node")) is None:
        return None
    lines = "".join(base64.b64encode(text).decode() + "\n" for text in texts)
    said = subprocess.run([node, "-e", NODE], input=lines, capture_output=True, text=True, check=True, timeout=60).stdout
    return [json.loads(line) for line in said.split("\n")[:-1]]


def _alike(ours, theirs) -> bool:
    """The same value; of numbers, as near as a double comes, which is all that Node has."""
    match ours:
        case dict():
            return isinstance(theirs, dict) and list(ours) == list(theirs) and all(_alike(ours[key], theirs[key]) for key in ours)
        case list():
            return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(_alike, ours, theirs))
        case bool() | None | str():
            return ours is theirs or (isinstance(ours, str) and ours == theirs)
        case _:
            return not isinstance(theirs, bool) and theirs is not None and math.isclose(float(ours), float(theirs), rel_tol=1e-15)


def _agree(texts: list[bytes]) -> None:
    ours = [strict_json(text) for text in texts]
    accepted = [(text, value) for text, value in zip(texts, ours, strict=True) if not isinstance(value, Undecodable)]
    for text, value in accepted:
        assert json.loads(text) == value, text
    theirs = _node([text for text, _ in accepted])
    for (text, value), read in zip(accepted, theirs or [], strict=theirs is not None):
        assert "read" in read, f"Node refuses {text!r}"
        assert _alike(_in_their_order(value), read["read"]), f"Node reads {read} of {text!r}"


def _in_their_order(value):
    """Node puts keys that are numbers first."""
    match value:
        case dict():
            numbers = sorted(
                (key for key in value if key.isascii() and key.isdigit() and str(int(key)) == key and int(key) < 2**32 - 1),
                key=int,
            )
            return {key: _in_their_order(value[key]) for key in [*numbers, *(key for key in value if key not in numbers)]}
        case list():
            return [_in_their_order(one) for one in value]
        case _:
            return value


def test_what_is_accepted_of_the_suite_is_read_alike_by_node():
    _agree(list(SUITE.values()))


TEXTS = st.lists(
    st.text(st.sampled_from('{}[]",:\\ue0d81-+.nulltrafs \n"'), max_size=12).map(str.encode)
    | st.text(st.sampled_from("0123456789eE.-+"), min_size=1, max_size=8).map(str.encode)
    | st.binary(max_size=8).map(lambda data: b'"' + data + b'"')
    | st.integers(300, 400).map(lambda digits: b"1" * digits)
    | st.integers(300, 400).map(lambda digits: b'["' + b"1" * digits + b'"]'),
    min_size=300,
    max_size=300,
)


@settings(max_examples=6)
@given(TEXTS)
def test_whatever_is_accepted_is_read_alike_by_node(texts):
    _agree(texts)


def test_a_number_that_is_infinite_to_others_is_none():
    assert strict_json(b"1" + b"0" * 308) == 10**308
    assert isinstance(strict_json(b"1" + b"0" * 309), Undecodable)
    assert isinstance(strict_json(b"-9" * 1 + b"9" * 400), Undecodable)
    assert isinstance(strict_json(b"9" * 5000), Undecodable)
    assert strict_json(b'["' + b"1" * 400 + b'"]') == ["1" * 400]
