"""receipts/README.md: what it says to type works on a real log, and finds a changed one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from receipts_made import decision, outcome

from outgate.ports import Stamp
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key

README = Path(__file__).parents[3] / "proxy/outgate/receipts/README.md"
SIGNATURE, CHAIN = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)


async def a_log(state: Path) -> Path:
    journal = FileJournal.open(state, writer="w1", key=receipts_key(state))
    for _ in range(3):
        await journal.append(outcome(await journal.append(decision())))
    await journal.close()
    return journal.folder / "000000000000.jsonl"


def run(script: str, log: Path, state: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin:/usr/local/bin", "LOG": str(log), "KEYS": str(state / "keys"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(["sh", "-c", script], cwd=state, env=environ, capture_output=True, text=True, check=False)


async def test_openssl_verifies_the_newest_checkpoint(tmp_path: Path) -> None:
    log = await a_log(tmp_path)
    done = run(SIGNATURE, log, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    log.write_text(re.sub(r"\\n6\\n", r"\\n5\\n", log.read_text()))
    assert run(SIGNATURE, log, tmp_path).returncode != 0


async def test_the_shell_follows_the_chain(tmp_path: Path) -> None:
    log = await a_log(tmp_path)
    done = run(CHAIN, log, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    log.write_text(log.read_text().replace('"allow"', '"block"', 1))
    assert run(CHAIN, log, tmp_path).stdout.startswith("broken: ")


def test_every_field_of_a_decision_and_an_outcome_is_explained() -> None:
    text = README.read_text()
    bodies = (decision(), outcome(Stamp(writer="w", seq=0)))
    assert [key for body in bodies for key in body if f"`{key}`" not in text] == []
    inner = [*decision()["request"], *decision()["actions"][0], *decision()["rules"][0], *decision()["pin"], *decision()["agent"]]
    assert [key for key in inner if not re.search(rf"\b{key}\b", text)] == []
