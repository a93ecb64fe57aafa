"""Everything that runs, is halted or waits in a state folder, as far as it can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.app.gates import ask
from outgate.app.votes import Place, waiting
from outgate.errors import UnavailableError
from outgate.keys.people import People
from outgate.stores.switch import SwitchFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from outgate.app.gates import Answered
    from outgate.approvals.approval import Approval
    from outgate.halt import Halts


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found. `switch` says what is wrong with the switch, `desk` why nobody knows what waits; empty where nothing is."""

    gates: Sequence[Answered]
    halts: Halts
    switch: str
    pending: Sequence[Approval]
    desk: str

    @property
    def sound(self) -> bool:
        """Nothing needs anybody's attention."""
        gates_sound = all(not gate.wrong and not troubles(gate) for gate in self.gates)
        return gates_sound and not self.switch and not self.desk


def survey(state: Path) -> Survey:
    """Look. What can't be told is said, and holds up nothing else."""
    switch = SwitchFile.open(state)
    try:
        pending, desk = [one for one in waiting(Place(state=state, people=People())) if not _denied(one)], ""
    except UnavailableError as error:
        pending, desk = [], str(error)
    return Survey(gates=ask(state, "GET", "/status"), halts=switch.halts, switch=switch.problem, pending=pending, desk=desk)


def troubles(gate: Answered) -> list[str]:
    """What a gate says is wrong with itself."""
    reload = gate.said.get("reload") or {}
    return [str(one) for one in (*gate.said.get("unready", ()), *reload.get("problems", ()))]


def _denied(approval: Approval) -> bool:
    return any(vote.deny for vote in approval.votes)
