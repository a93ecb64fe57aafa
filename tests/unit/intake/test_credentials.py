"""outgate.intake.credentials"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Claim, Denied, Enrolled, claim_of, login_of, new_token, token_digest
from outgate.intake.listening import peers_of

TOKEN = new_token(bytes(range(32)))
MAILER = Enrolled(agent=Agent(id="mailer"), token=token_digest(TOKEN))


def basic(pair: str) -> bytes:
    return b"Basic " + base64.b64encode(pair.encode())


def agents(**said) -> Agents:
    return Agents(by_name={"mailer": replace(MAILER, **said)})


def test_a_token_says_what_it_is_and_stands_in_a_url_as_it_is():
    assert re.fullmatch(r"outgate_[A-Za-z0-9_-]{43}", TOKEN)


def test_a_token_of_fewer_bits_is_none():
    with pytest.raises(ValueError, match="32 random bytes"):
        new_token(bytes(16))


def test_nothing_kept_of_a_token_gives_it_back():
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", token_digest(TOKEN))
    assert TOKEN not in repr(Claim(name="mailer", token=TOKEN))


@pytest.mark.parametrize("scheme", [b"Basic ", b"basic ", b"BASIC   "])
def test_a_claim_is_a_name_and_a_token(scheme):
    value = scheme + base64.b64encode(f"mailer:{TOKEN}".encode())
    assert claim_of([value]) == Claim(name="mailer", token=TOKEN)


def test_a_token_may_hold_colons():
    assert claim_of([basic("mailer:a:b")]) == Claim(name="mailer", token="a:b")


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Basic"],
        [b"Basic "],
        [b"Basic ===="],
        [b"Basic bWFpbGVy"],
        [basic("mailer:")],
        [basic(":token")],
        [basic("mailer:to ken")],
        [basic("mail\0er:token")],
        [basic("mailer:to\0ken")],
        [basic("\u043cailer:token")],
        [basic("mailer :token")],
        [basic("mailer:token") + b"="],
        [basic("mailer:token") + b" "],
        [basic("mailer:token"), basic("mailer:token")],
        [b"Bearer " + TOKEN.encode()],
        [b"Basic " + b"A" * (1 << 20)],
        [basic("mailer:" + "x" * 300)],
        [b"Basic bWFpbGVyOnRva2Vu, Basic bWFpbGVyOnRva2Vu"],
    ],
)
def test_what_can_not_be_read_claims_nothing(values):
    assert claim_of(values) is None


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_reading_a_claim_never_raises(values):
    claim = claim_of(values)
    assert claim is None or len(values) == 1


def test_who_shows_the_right_token_is_let_in():
    assert agents().who(Claim(name="mailer", token=TOKEN), "192.0.2.1") == MAILER


@pytest.mark.parametrize("token", ["x", TOKEN[:-1], TOKEN + "A", TOKEN.lower(), token_digest(TOKEN)])
def test_another_token_is_not(token):
    assert agents().who(Claim(name="mailer", token=token), "192.0.2.1") is Denied.TOKEN


@pytest.mark.parametrize("name", ["Mailer", "mailer.", "other"])
def test_another_name_is_not(name):
    assert agents().who(Claim(name=name, token=TOKEN), "192.0.2.1") is Denied.UNKNOWN


def test_who_has_no_token_can_not_prove_itself_with_any():
    known = agents(token="")
    assert known.who(Claim(name="mailer", token="0"), "192.0.2.1") is Denied.TOKEN


def test_who_was_revoked_is_told_so_and_who_can_not_prove_itself_is_not():
    known = agents(revoked=True)
    assert known.who(Claim(name="mailer", token=TOKEN), "192.0.2.1") is Denied.REVOKED
    assert known.who(Claim(name="mailer", token="guess"), "192.0.2.1") is Denied.TOKEN


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.2.0.1", False),
        ("fe80::1%eth0", True),
        ("local", False),
        ("", False),
    ],
)
def test_a_token_that_is_bound_to_addresses_is_good_from_there_alone(peer, inside):
    known = agents(peers=(ip_network("10.1.0.0/16"), ip_network("fe80::/10")))
    assert (known.who(Claim(name="mailer", token=TOKEN), peer) is Denied.ELSEWHERE) is not inside


def test_whose_standing_changed_is_outdated_and_whose_team_changed_is_not():
    then = agents()
    assert then.outdated(then) == frozenset()
    assert then.outdated(Agents()) == {"mailer"}
    assert then.outdated(agents(revoked=True)) == {"mailer"}
    assert then.outdated(agents(token=token_digest("new"))) == {"mailer"}
    assert then.outdated(agents(peers=(ip_network("10.0.0.0/8"),))) == {"mailer"}
    assert then.outdated(agents(agent=Agent(id="mailer", team="finance"))) == frozenset()


def from_(name: str, *blocks: str, **said) -> Enrolled:
    return Enrolled(agent=Agent(id=name), peers=tuple(map(peers_of, blocks)), **said)


@pytest.mark.parametrize(
    ("others", "peer", "found"),
    [
        ([], "10.0.0.7", "a"),
        ([], "::ffff:10.0.0.7", "a"),
        ([], "fd00::7", "a"),
        ([], "10.0.1.7", Denied.NONE),
        ([], "fd01::7", Denied.NONE),
        ([], "", Denied.NONE),
        ([from_("b", "10.0.0.7")], "10.0.0.7", Denied.AMBIGUOUS),
        ([from_("b", "10.0.0.7")], "10.0.0.8", "a"),
        ([from_("b", "0.0.0.0/0", revoked=True)], "10.0.0.7", Denied.AMBIGUOUS),
        ([Enrolled(agent=Agent(id="b"), token="x")], "10.0.0.7", "a"),
        ([from_("b", "10.9.0.0/16")], "10.9.0.1", Denied.AMBIGUOUS),
    ],
)
def test_an_address_says_who_it_is_only_where_it_is_ones_alone_and_that_was_said_to_be_enough(others, peer, found):
    known = [from_("a", "10.0.0.0/24", "10.0.0.7", "fd00::/64", transparent=True), *others]
    at = Agents(by_name={one.agent.id: one for one in known}).at(peer)
    assert (at if isinstance(at, Denied) else at.agent.id) == found


def test_who_was_revoked_is_told_apart_from_nobody():
    agents = Agents(by_name={"a": from_("a", "10.0.0.7", transparent=True, revoked=True)})
    assert agents.at("10.0.0.7") is Denied.REVOKED


def test_who_may_not_come_by_an_address_alone_any_more_is_outdated():
    was, now = (Agents(by_name={"a": from_("a", "10.0.0.7", transparent=said)}) for said in (True, False))
    assert was.outdated(now) == {"a"}


def test_a_login_is_a_claim_whose_parts_were_shown_apart():
    assert login_of(b"mailer", TOKEN.encode()) == Claim(name="mailer", token=TOKEN)


@pytest.mark.parametrize(
    ("name", "token"),
    [(b"", b"x"), (b"mailer", b""), (b"mailer\x00", b"x"), (b"m\xc3\xa4iler", b"x"), (b"mailer", b"x y"), (b"m", b"\xff")],
)
def test_a_login_that_can_be_nobodys_is_none(name, token):
    assert login_of(name, token) is None


def test_a_certificate_is_one_agents_or_nobodys():
    by_name = {name: Enrolled(agent=Agent(id=name), certificates=frozenset({f"dns:{name}"})) for name in ("a", "b")}
    known = Agents(by_name=by_name)
    assert known.whose(frozenset({"dns:a", "dns:other"}), "10.0.0.1") == by_name["a"]
    assert known.whose(frozenset({"dns:a", "dns:b"}), "10.0.0.1") is Denied.CERTIFICATE
    assert known.whose(frozenset(), "10.0.0.1") is Denied.CERTIFICATE


@pytest.mark.parametrize(
    ("said", "why"), [({"revoked": True}, Denied.REVOKED), ({"peers": (peers_of("10.0.0.0/8"),)}, Denied.ELSEWHERE)]
)
def test_whose_a_certificate_is_may_still_not_come_in(said, why):
    assert agents(certificates=frozenset({"dns:a"}), **said).whose(frozenset({"dns:a"}), "192.0.2.1") is why


def test_who_has_another_certificate_now_is_not_as_before():
    before, now = agents(certificates=frozenset({"dns:a"})), agents(certificates=frozenset({"dns:b"}))
    assert before.outdated(now) == {"mailer"}
