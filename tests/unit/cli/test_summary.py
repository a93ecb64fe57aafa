"""outgate.cli.summary"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from receipts_made import action, decided

from outgate.actions.action import Access, Confidence, Tier
from outgate.app.run import Begun, RunReport
from outgate.cli.summary import closing, opening_lines
from outgate.fence.startup import Planted
from outgate.fence.watch import Attempt
from outgate.policy.decision import Match
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, Charge, Hold, Limit, Window
from outgate.ports import Over, Reserved
from outgate.receipts.verify import Bad, LogReport
from outgate.telemetry.tally import Tally

BEGUN = {"agent": "agent.py", "policy": "coding-agent", "enforcing": False}
SSH = Attempt(process="python", pid=4127, protocol="tcp", address="140.82.121.4", port=22)
DELETE = action("github.repos/delete", "acme/site", access=Access.DELETE, tier=Tier.T3, why="irreversible")
PASTE = action("http.POST", "paste.test/new", access=Access.UNKNOWN, tier=Tier.T2, confidence=Confidence.HEURISTIC)


def opened(**said):
    return list(opening_lines(Begun(**BEGUN | said)))


def report(*decisions, code=0, seconds=41.0, enforced=False, command=("python", "agent.py"), log=None, **said):
    tally = said.pop("tally", Tally())
    for decision in decisions:
        tally.decided("agent.py", decision, 0.001)
    log = log or LogReport(writer="0193c2", decisions=len(decisions), outcomes=len(decisions))
    return RunReport(
        command=command, agent="agent.py", code=code, seconds=seconds, enforced=enforced, tally=tally, log=log, **said
    )


def closed(*decisions, **said):
    return list(closing(report(*decisions, **said)))


# before


def test_the_first_line_says_who_under_what_and_how_to_watch():
    assert opened() == ['outgate  agent "agent.py", policy coding-agent, observing, fenced. Live: outgate log -f']


def test_without_a_fence_it_says_so_and_why():
    first, *rest = opened(unfenced="no fence: user namespaces are denied here: operation not permitted")
    assert "not fenced" in first
    said = " ".join(line.strip() for line in rest)
    assert said == "not fenced: same user, can go around (user namespaces are denied here: operation not permitted)"
    assert all(len(line) <= 80 for line in rest)


def test_without_a_fence_because_nobody_wanted_one_no_reason_is_given():
    assert opened(unfenced="as asked")[1:] == ["         not fenced: same user, can go around"]


def test_what_was_inherited_is_said_without_its_password():
    lines = opened(via="http://proxy.test:3128", roots=("SSL_CERT_FILE=/etc/corp.pem",))
    assert lines[1:] == [
        "         upstream proxy from the environment: http://proxy.test:3128",
        "         also trusting the certificates of SSL_CERT_FILE=/etc/corp.pem",
    ]


# after


def test_nothing_asked_is_said_in_two_lines():
    assert closed(seconds=1.25) == [
        "outgate  agent.py ended (0) after 1.2 s: no requests came this way",
        "         proof: 0 decisions, 0 outcomes, log verified (0193c2)",
    ]


def test_what_would_have_been_stopped_is_shown_with_what_to_do_next():
    read = decided()
    lines = closed(
        read,
        decided(Effect.ALLOW, DELETE, would=Effect.ESCALATE),
        decided(Effect.ALLOW, PASTE, would=Effect.BLOCK),
        seconds=125,
    )
    assert lines[0] == "outgate  agent.py ended (0) after 2 min 5 s: 3 requests, 2 services, all let through"
    assert lines[1] == "           1 read · 1 delete · 1 unknown"
    assert lines[2] == "         had you enforced, 2 of 3 would have been stopped:"
    assert [line.split()[:2] for line in lines[3:5]] == [["escalate", "github.repos/delete"], ["block", "http.POST"]]
    assert lines[-2:] == [
        "         next:  outgate policy suggest > outgate.yaml",
        "                outgate run --policy outgate.yaml --enforce -- python agent.py",
    ]


def test_when_enforced_what_was_stopped_is_shown_and_nothing_is_advised():
    lines = closed(decided(Effect.BLOCK, DELETE), enforced=True)
    assert lines[0].endswith("1 request, 1 service, 1 stopped")
    assert "         stopped, 1 of 1:" in lines
    assert not any("next:" in line for line in lines)


def test_what_came_often_is_one_row_with_a_count():
    lines = closed(*[decided(Effect.BLOCK, DELETE)] * 3, enforced=True)
    rows = [line for line in lines if "github.repos/delete" in line]
    assert len(rows) == 1
    assert rows[0].endswith("x 3")


def over(rule, hold=Hold.BINDING):
    limit = Limit(amount=60, unit=COUNT, window=Window.MINUTE)
    match = Match(rule=rule, effect=Effect.THROTTLE, mode=Mode.ENFORCE)
    return Reserved(over=(Over(charge=Charge(key=rule, limit=limit, amount=1, hold=hold, match=match), wait=None),))


def test_what_was_throttled_sandboxed_and_escalated_is_said_in_one_line():
    tally = Tally()
    tally.concluded("agent.py", "mocked", 201)
    tally.concluded("agent.py", "withheld", 200)
    passed = replace(decided(), approval="abcd-efgh-2345")
    answers = [*[decided(Effect.THROTTLE)] * 5, decided(Effect.SANDBOX), decided(Effect.ESCALATE), decided(Effect.BLOCK), passed]
    lines = closed(*answers, tally=tally, enforced=True)
    said = "5 throttled · 1 escalated · 1 sandboxed · 1 let out by people · 1 answer withheld · 1 answered by a mock"
    assert "           " + said in lines
    assert lines[0].endswith("9 requests, 1 service, 8 stopped")


def test_limits_that_were_reached_are_named():
    tally = Tally()
    for rule in ("crm-rate", "crm-rate", "budget"):
        tally.reserved(over(rule))
    tally.reserved(over("only-watched", Hold.OBSERVED))
    assert "         limits reached: crm-rate x 2, budget" in closed(tally=tally)


def test_people_who_were_asked_are_told_where_to_answer():
    tally = Tally()
    tally.noted("approval-asked", "agent.py", {"approval": "abcd-efgh-2345", "actions": ["crm.delete_all", "crm.search"]})
    for n in range(9):
        tally.noted("approval-asked", "agent.py", {"approval": f"aaaa-aaaa-aaa{n}", "actions": ["x" * 200]})
    lines = closed(tally=tally)
    at = lines.index("         asked people: 10   outgate approvals")
    assert lines[at + 1] == "           abcd-efgh-2345  crm.delete_all +1"
    assert lines[at + 9] == "           and 2 more"
    assert max(map(len, lines)) <= 80


def test_many_rows_are_cut_and_the_rest_is_counted():
    stopped = [decided(Effect.BLOCK, action(f"github.repos/delete-{n}", access=Access.DELETE)) for n in range(12)]
    lines = closed(*stopped, enforced=True)
    assert sum("github.repos/delete-" in line for line in lines) == 8
    assert "           and 4 more: outgate log" in lines


def test_attempts_to_go_around_are_listed_with_who_made_them():
    udp = Attempt(process="", pid=None, protocol="udp", address="2001:db8::1", port=53, name="paste.test")
    lines = closed(around=Counter({SSH: 2, udp: 1}), around_untold=3)
    assert "         tried to go around: 6" in lines
    assert "           python 4127 -> 140.82.121.4:22   fence: refused" in lines
    assert "           [2001:db8::1]:53/udp for paste.test   fence: refused" in lines


def test_tunnels_and_clients_that_do_not_trust_us_are_named():
    tally = Tally()
    tally.noted("tunnel-refused", "agent.py", {"host": "db.test", "port": 5432})
    tally.noted("trust-failed", "agent.py", {"host": "pinned.test"})
    lines = closed(tally=tally)
    assert "         tried to go around: 1" in lines
    assert "           not HTTP: db.test:5432   gate: refused" in lines
    assert "         did not trust our certificate: pinned.test   see outgate doctor" in lines


def test_what_would_have_run_later_is_named():
    planted = Planted(path=Path("/home/me/.bashrc"), aside=Path("/home/me/.bashrc.outgate-refused"))
    assert "         would have run later, outside: /home/me/.bashrc   moved to .bashrc.outgate-refused" in closed(
        planted=(planted,)
    )


def test_a_log_that_does_not_verify_is_shouted():
    log = LogReport(writer="0193c2", decisions=1, bad=Bad(seq=12, why="its signature is not good", follows=12))
    (line,) = [line for line in closed(log=log) if "proof:" in line]
    assert "LOG DOES NOT VERIFY: receipt 12: its signature is not good" in line


def test_a_log_that_broke_off_says_why_and_that_the_rest_was_refused():
    lines = closed(lost="the log /state/log/w1 can't be written: No space left on device; restart to begin a new one")
    said = " ".join(line.strip() for line in lines[-3:])
    assert "LOG BROKE OFF, and what came after was refused: the log /state/log/w1 can't be written: No space left" in said
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", ["\x1b[2J\x1b[H", "\u202egnp.exe", "line\nbreak"])
def test_what_an_agent_names_does_not_drive_the_terminal(name):
    tally = Tally()
    tally.noted("tunnel-refused", "agent.py", {"host": name, "port": 1})
    tally.noted("approval-asked", "agent.py", {"approval": name, "actions": [name]})
    tally.reserved(over(name))
    evil = Attempt(process=name, pid=1, protocol="tcp", address="192.0.2.1", port=1, name=name)
    lines = closed(decided(Effect.BLOCK, action(resource=name)), tally=tally, enforced=True, around=Counter({evil: 1}))
    shown = "\n".join(lines)
    assert name not in shown
    assert all(line.isprintable() for line in lines)


def test_a_long_command_is_not_repeated():
    assert closed(decided(), command=("python", "-c", "x" * 200))[-1].endswith("-- …")
