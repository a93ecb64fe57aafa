"""outgate.cli.verify"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from receipts_made import decision, outcome
from typer.testing import CliRunner

from outgate.cli.verify import app
from outgate.errors import ConfigError
from outgate.keys.ed25519 import SigningKey
from outgate.policy.effect import Effect
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def verify(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result


async def a_log(state: Path, writer: str = "w1", *, requests: int = 6) -> Path:
    journal = FileJournal.open(state, writer=writer, key=receipts_key(state))
    for _ in range(requests):
        await journal.append(outcome(await journal.append(decision())))
        await journal.append(decision(Effect.BLOCK))
    await journal.close()
    return journal.folder / "000000000000.jsonl"


async def test_a_good_log_is_ok(tmp_path: Path) -> None:
    await a_log(tmp_path)
    result = verify(tmp_path)
    assert result.exit_code == 0
    assert result.output.startswith("ok   12 decisions, 6 outcomes\n     chain whole, signatures good, by outgate/")


async def test_one_changed_byte_is_named_with_its_receipt(tmp_path: Path) -> None:
    path = await a_log(tmp_path)
    lines = path.read_bytes().split(b"\n")
    lines[2 * 11] = lines[2 * 11].replace(b"block", b"allow", 1)
    path.write_bytes(b"\n".join(lines))
    result = verify(tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == "bad  receipt 11: signature does not match its content; 12 to 17 no longer follow"


async def test_one_writers_folder_can_be_named(tmp_path: Path) -> None:
    await a_log(tmp_path)
    await a_log(tmp_path, "w2")
    assert verify(tmp_path / "log" / "w2").output.startswith("ok   12 decisions")
    assert verify(tmp_path / "log").output.startswith("ok   2 logs, 24 decisions")


async def test_the_key_can_be_given_as_text_or_as_a_file(tmp_path: Path) -> None:
    await a_log(tmp_path)
    (tmp_path / "mine").write_text(receipts_key(tmp_path).public.vkey)
    for key in (receipts_key(tmp_path).public.vkey, tmp_path / "mine"):
        result = verify(tmp_path, "--key", key)
        assert result.exit_code == 0
        assert "beside" not in result.output


async def test_another_key_does_not_verify(tmp_path: Path) -> None:
    await a_log(tmp_path)
    result = verify(tmp_path, "--key", SigningKey.from_seed(bytes(32)).public.vkey)
    assert result.exit_code == 1
    assert "signed by outgate/" in result.output


async def test_what_is_open_and_what_is_not_covered_is_said(tmp_path: Path) -> None:
    journal = FileJournal.open(tmp_path, writer="w1", key=receipts_key(tmp_path))
    await journal.append(decision())
    assert "still open, their writer runs: w1-0" in verify(tmp_path).output
    await journal.close()
    with (journal.folder / "000000000000.jsonl").open("ab") as file:
        file.write(b'{"at":')
    output = verify(tmp_path).output
    assert "let out, and nobody knows what came of it: w1-0" in output
    assert "log w1: 6 bytes after receipt 0 without a signature; nothing they say took effect" in " ".join(output.split())


async def test_programs_get_json(tmp_path: Path) -> None:
    await a_log(tmp_path)
    said = json.loads(verify(tmp_path, "--json").output)
    assert said["good"] is True
    assert said["logs"][0]["size"] == 18


async def test_a_place_without_a_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no log here"):
        verify(tmp_path)


@pytest.mark.parametrize("key", ["", "nonsense", "a+b+c"])
async def test_a_key_that_is_none_is_said(tmp_path: Path, key: str) -> None:
    await a_log(tmp_path)
    with pytest.raises(ConfigError, match="--key"):
        verify(tmp_path, "--key", key)
