"""Throwing the switch: the file, the receipt, and what every running gate says to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from outgate.app.gates import Answered, ask
from outgate.app.owner import as_owner
from outgate.app.record import operator, record
from outgate.errors import ConfigError, EvidenceError, UnavailableError
from outgate.halt import Halt, Scope
from outgate.stores.switch import SwitchFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from outgate.digest import Json
    from outgate.stores.switch import Turned


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What one running gate said. `wrong`: why it can't be relied on that the gate knows; empty where it does.

    `cut` counts what it stopped in the middle; `known` is false where it never saw an agent of this name.
    """

    writer: str
    cut: int = 0
    known: bool = True
    wrong: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown:
    """What throwing the switch came to. `unrecorded` says why there is no receipt; empty where there is one."""

    what: Literal["halt", "resume"]
    scope: Scope
    name: str
    turned: Turned
    gates: tuple[Confirmed, ...] = ()
    unrecorded: str = ""

    @property
    def whole(self) -> bool:
        """Every gate knows, and the record has it."""
        return not self.unrecorded and not any(gate.wrong for gate in self.gates)


def halt(state: Path, scope: Scope, name: str, why: str) -> Thrown:
    """Halt. It holds when this returns, whatever else failed. Raises UnavailableError where the switch can't be written."""
    by = operator()
    as_owner(state)
    turned = SwitchFile.open(state).halt(Halt(scope=scope, name=name, why=why, by=by, at=datetime.now(UTC)))
    return _thrown(state, Thrown(what="halt", scope=scope, name=name, turned=turned), {"why": why, "by": by})


def resume(state: Path, scope: Scope, name: str, why: str) -> Thrown:
    """Lift a halt. Raises as `halt`, and ConfigError where the switch can't be read."""
    by = operator()
    as_owner(state)
    turned = SwitchFile.open(state).resume(scope, name)
    return _thrown(state, Thrown(what="resume", scope=scope, name=name, turned=turned), {"why": why, "by": by})


def _thrown(state: Path, thrown: Thrown, more: dict[str, Json]) -> Thrown:
    """Gates first: they cut while the receipt is written."""
    gates = tuple(_confirmed(answer, thrown) for answer in ask(state, "POST", "/refresh"))
    cut = sum(gate.cut for gate in gates)
    about = {"scope": thrown.scope.value, "name": thrown.name, "changed": thrown.turned.changed, "cut": cut, **more}
    return replace(thrown, gates=gates, unrecorded=_failed(lambda: record(state, thrown.what, about)))


def _failed(doing: Callable[[], None]) -> str:
    """What went wrong in doing something that must not hold up the rest; empty where nothing did."""
    try:
        doing()
    except (ConfigError, EvidenceError, UnavailableError) as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _confirmed(answer: Answered, thrown: Thrown) -> Confirmed:
    if answer.wrong:
        return Confirmed(writer=answer.writer, wrong=answer.wrong)
    here = thrown.scope.value, thrown.name
    mine = [one for one in _halts(answer.said) if (one.get("scope"), one.get("name")) == here]
    if bool(mine) != (thrown.what == "halt"):
        wrong = str(answer.said.get("problem") or f"it does not know of the {thrown.what}")
        return Confirmed(writer=answer.writer, wrong=wrong)
    known = thrown.scope is not Scope.AGENT or thrown.name in answer.said.get("agents", [])
    return Confirmed(writer=answer.writer, cut=sum(int(one.get("cut", 0)) for one in mine), known=known)


def _halts(said: dict[str, Any]) -> list[dict[str, Any]]:
    found = said.get("halts")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
