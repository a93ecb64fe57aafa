"""Events of the record in a word and a sentence for people: what is no decision and no outcome."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.digest import Json

    type About = Mapping[str, Json]

_TELLING = ("program", "policy", "mode", "fenced", "process", "pid", "host", "address", "port", "path", "code", "why", "detail")
_DIGESTS = ("digest", "root", "digests")
_SHORT = 14
"""Characters of a key's or a certificate's fingerprint: enough to compare at a glance."""
_FOLDERS = re.compile(r"(?<![^\s'\"])/\S*/")


def told(kind: str, about: About) -> tuple[str, str]:
    """A word of at most nine letters, and what it is about. Text of others is as it was: whoever shows it cleans it."""
    known = _KINDS.get(kind)
    return (kind, _plainly(about)) if known is None else (known[0], " ".join(known[1](about).split(" ")).strip())


def subject(about: About) -> str:
    """The agent that an event is about, where it names one that did not do it itself."""
    if _text(about, "scope") == "agent":
        return _text(about, "name")
    return _text(about, "agent")


def _plainly(about: About) -> str:
    """What tells most first; digests are for programs."""
    keys = sorted(about, key=lambda key: (_TELLING.index(key) if key in _TELLING else len(_TELLING), key))
    shown = [(key, about[key]) for key in keys if key not in _DIGESTS and about[key] not in ("", None, [])]
    return " ".join(f"{key}={json.dumps(value) if not isinstance(value, str) else value}" for key, value in shown)


def _asked(about: About) -> str:
    panels = [panel for panel in _list(about, "panels") if isinstance(panel, dict)]
    who = " and ".join(f"{_int(panel, 'need')} of {', '.join(_texts(panel, 'of'))}" for panel in panels)
    actions = _texts(about, "actions")
    more = f" +{len(actions) - 1}" if len(actions) > 1 else ""
    return f"{_text(about, 'approval')} T{_int(about, 'tier')} {actions[0] if actions else '?'}{more}, asks {who or 'nobody'}"


def _signed(about: About) -> str:
    did = "denied" if _text(about, "decision") == "deny" else "approved"
    state = _text(about, "state")
    said = f': "{_text(about, "said")}"' if _text(about, "said") else ""
    return f"{_text(about, 'approval')} {did} by {_text(about, 'person')}{f', {state} now' if state else ''}{said}"


def _refused(about: About) -> str:
    return f"{_text(about, 'approval')} {_text(about, 'person')}'s signature does not count: {_text(about, 'because')}"


def _message(did: str) -> Callable[[About], str]:
    def say(about: About) -> str:
        side = "sent" if about.get("sent") is True else "received"
        rules = ", ".join(_texts(about, "rules"))
        by = f" by approval {_text(about, 'approval')}" if _text(about, "approval") else f" by {rules}" if rules else ""
        said = f"{_text(about, 'over')} message {side}, {_count(_int(about, 'size'), 'byte')}, {did}{by}"
        return f"{said}{_of(about)}"

    return say


def _of(about: About) -> str:
    of = _text(about, "of")
    return f", of {of}" if of else ""


def _scope(about: About) -> str:
    scope, name = _text(about, "scope"), _text(about, "name")
    return scope if scope == "all" or not name else f"{scope} {name}"


def _halt(about: About) -> str:
    return f"{_scope(about)}{_by(about)}{_because(about)}{_cut_too(about)}"


def _cut(about: About) -> str:
    return f"{_count(_int(about, 'cut'), 'exchange')}: {_scope(about)} is halted{_because(about)}"


def _still(about: About) -> str:
    halts = _texts(about, "halts")
    more = _int(about, "all") - len(halts)
    return f"as the gate begins: {', '.join(halts)}{f' and {more} more' if more > 0 else ''}"


def _reload(about: About) -> str:
    parts = [key for key, value in about.items() if isinstance(value, dict)]
    gone, restart = _int(about, "gone"), _texts(about, "restart")
    said = f"{', '.join(parts) or 'nothing else'} changed, by {_files(about)}"
    said += f", {_count(gone, 'client')} had to go" if gone else ""
    return said + (f"; needs a restart: {', '.join(restart)}" if restart else "")


def _reload_refused(about: About) -> str:
    problems = _texts(about, "problems")
    count = _int(about, "all") or len(problems)
    first = _brief(problems[0]) if problems else "unknown"
    where = "" if first.partition(":")[0] in _file_names(about) else f" in {_files(about)}"
    return f"NOT taken, {_count(count, 'problem')}{where}: {first}"


def _brief(problem: str) -> str:
    """A problem whose files go by their names: what is wrong must fit on a line, `outgate status` has all of it."""
    return _FOLDERS.sub("", problem.removeprefix("outgate: "))


def _files(about: About) -> str:
    return ", ".join(_file_names(about)) or "being told"


def _file_names(about: About) -> list[str]:
    return [name.rpartition("/")[2] for name in _texts(about, "files")]


def _start(about: About) -> str:
    policy, mode, agents = _text(about, "policy"), _text(about, "mode"), about.get("agents")
    said = [part for part in (f"policy {policy}" if policy else "", mode) if part]
    said += [_count(agents, "agent")] if isinstance(agents, int) else []
    said += ["fenced" if about["fenced"] is True else f"NOT fenced: {_text(about, 'unfenced')}"] if "fenced" in about else []
    return f"{_text(about, 'program')}{': ' if said and _text(about, 'program') else ''}{', '.join(said)}"


def _stop(about: About) -> str:
    signal, cut, around = _text(about, "signal"), _int(about, "cut"), _int(about, "around")
    said = [f"on {signal}"] if signal else [f"its command ended with {_int(about, 'code')}"] if "code" in about else []
    said += [f"{_count(cut, 'client')} cut off"] if cut else []
    said += [f"tried to go around x {around}"] if around else []
    return ", ".join(said)


def _closed(about: About) -> str:
    """A log whose writer is gone. That it did not say its end means nothing: no command does."""
    lost, bare, bad = _int(about, "open"), _int(about, "uncovered"), _text(about, "bad")
    said = [f"log {_text(about, 'writer')} of {_count(_int(about, 'size'), 'receipt')}"]
    said += [f"BAD: {bad}"] if bad else []
    said += [f"of {lost} let out nobody knows what became"] if lost else []
    said += ["its last line torn"] if _int(about, "torn") else []
    return ", ".join([*said, *([f"{bare} without a signature"] if bare else [])])


def _people(about: About) -> str:
    keys = [f"+{key[:_SHORT]}" for key in _texts(about, "added")] + [f"-{key[:_SHORT]}" for key in _texts(about, "removed")]
    groups = ", ".join(_texts(about, "groups"))
    said = [_text(about, "did"), _text(about, "person"), *(f"({groups})" for _ in groups[:1]), *keys]
    return f"{' '.join(said)}{_by(about)}"


def _agent(did: str) -> Callable[[About], str]:
    def say(about: About) -> str:
        return f"{_text(about, 'agent')} {did}{_by(about)}"

    return say


def _ca(did: str, key: str = "sha256") -> Callable[[About], str]:
    def say(about: About) -> str:
        return f"{did} {_text(about, key)[:_SHORT]}{_by(about)}"

    return say


def _stranger(about: About) -> str:
    claimed = _text(about, "claimed")
    return f"{_text(about, 'host')} {_text(about, 'why')}{f', as {claimed}' if claimed else ''}{_times(about)}"


def _clock(about: About) -> str:
    large = ": until it was steady, rules that ask for the time could not tell" if about.get("large") is True else ""
    return f"stepped by {_int(about, 'milliseconds') / 1000:+.1f} s{large}"


def _at(about: About) -> str:
    port = _int(about, "port")
    where = f"{_text(about, 'host')}{f':{port}' if port else ''}"
    return f"{where} {_text(about, 'detail')}{_times(about)}"


def _unrecorded(about: About) -> str:
    return f"{_text(about, 'why')} beyond what one agent may have written down{_times(about)}"


_KINDS: Mapping[str, tuple[str, Callable[[About], str]]] = {
    "approval-asked": ("asked", _asked),
    "approval-signed": ("signed", _signed),
    "approval-refused": ("signed", _refused),
    "message-refused": ("message", _message("REFUSED")),
    "message-approved": ("message", _message("let pass")),
    "message-would": ("message", _message("would be refused")),
    "halt": ("HALT", _halt),
    "halted": ("halted", _still),
    "resume": ("resume", _halt),
    "resumed": ("resumed", _scope),
    "cut": ("cut", _cut),
    "reload": ("reload", _reload),
    "reload-refused": ("reload", _reload_refused),
    "people-changed": ("people", _people),
    "agent-added": ("agent", _agent("added")),
    "agent-revoked": ("agent", _agent("revoked")),
    "agent-trusted": ("agent", _agent("trusted")),
    "ca-prepared": ("ca", _ca("prepared")),
    "ca-rotated": ("ca", _ca("signs from now on")),
    "ca-finished": ("ca", _ca("alone from now on")),
    "ca-renewed": ("ca", _ca("taken up by the gate", "is")),
    "stranger": ("stranger", _stranger),
    "clock-stepped": ("clock", _clock),
    "tunnel-refused": ("tunnel", _at),
    "trust-failed": ("untrusted", _at),
    "limit-reached": ("limit", _at),
    "log-closed": ("closed", _closed),
    "start": ("start", _start),
    "stop": ("stop", _stop),
    "unrecorded": ("unwritten", _unrecorded),
}


def _by(about: About) -> str:
    by = _text(about, "by")
    return f", by {by}" if by else ""


def _because(about: About) -> str:
    why = _text(about, "why")
    return f': "{why}"' if why else ""


def _cut_too(about: About) -> str:
    cut = _int(about, "cut")
    return f", {_count(cut, 'exchange')} cut" if cut else ""


def _times(about: About) -> str:
    count = _int(about, "count")
    return f" x {count}" if count > 1 else ""


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _text(about: About, key: str) -> str:
    value = about.get(key)
    return value if isinstance(value, str) else ""


def _int(about: About, key: str) -> int:
    value = about.get(key)
    return value if isinstance(value, int) else 0


def _list(about: About, key: str) -> list[Json]:
    value = about.get(key)
    return list(value) if isinstance(value, list) else []


def _texts(about: About, key: str) -> list[str]:
    return [one for one in _list(about, key) if isinstance(one, str)]
