"""Many agents on one listener, each by name and token: who comes in, who is turned away, and that nobody else ever sees a token."""

from __future__ import annotations

import asyncio
import base64
import http.client
import shutil
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest
import requests
from wire.clients import Streams, Wire

from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Enrolled, new_token, token_digest
from outgate.mitm import doors, notes
from outgate.mitm.link import Limits

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TOKENS = {name: new_token(name.encode().ljust(32, b"\x01")) for name in ("mailer", "payer", "gone", "elsewhere", "near")}
POLICY = """
    outgate: policy/v1alpha
    policy: fleet
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    rules:
      - {id: pay-is-for-finance, match: {resource: "*/pay*"}, unless: agent.team == "finance", effect: block, tell: "Ask finance."}
      - {id: nothing-forbidden, match: {resource: "*/forbidden*"}, effect: block, tell: "Forbidden things stay here."}
"""


def enrolled(name: str, team: str = "", **said) -> Enrolled:
    return Enrolled(agent=Agent(id=name, team=team, since=LONG_AGO), token=token_digest(TOKENS[name]), **said)


FLEET = Agents(
    by_name={
        "mailer": enrolled("mailer", "ops"),
        "payer": enrolled("payer", "finance"),
        "gone": enrolled("gone", revoked=True),
        "elsewhere": enrolled("elsewhere", peers=(ip_network("192.0.2.0/24"),)),
        "near": enrolled("near", peers=(ip_network("127.0.0.0/8"),)),
    }
)


def proxy(gateway, name: str = "mailer") -> str:
    return f"http://{name}:{TOKENS[name]}@127.0.0.1:{gateway.port}"


def basic(name: str, token: str | None = None) -> str:
    return "Basic " + base64.b64encode(f"{name}:{TOKENS[name] if token is None else token}".encode()).decode()


def shown(name: str, token: str | None = None) -> str:
    return f"Proxy-Authorization: {basic(name, token)}\r\n"


async def connect(client: Wire, credentials: str = "", host: str = "api.test") -> int:
    await client.send(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n{credentials}\r\n")
    answer = await client.head()
    if answer.status != 200:
        await client.reader.readexactly(int(answer.header("content-length")))
    return answer.status


async def get(client: Wire, path: str = "/a", credentials: str = "", host: str = "api.test"):
    await client.send(f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{credentials}\r\n")
    return await client.answer()


@pytest.fixture
async def gateway(make):
    """A gate with one listener for everybody who is written down."""
    gateway = await make(policy_text=POLICY)
    await fleet(gateway)
    return gateway


async def fleet(gateway, agents: Agents = FLEET) -> None:
    gateway.engine.adopt(agents)
    gateway.port = await gateway.listen(None)
    gateway.addon.doors._slowing = doors.Slowing(first=0.0)


def nowhere(gateway) -> None:
    """No token in anything that an upstream, the log or a metric ever saw."""
    seen = [bytes(upstream.received) for upstream in gateway.upstreams]
    seen += [path.read_bytes() for path in (gateway.folder / "state").rglob("*") if path.is_file()]
    for secret in [*TOKENS.values(), *(basic(name).partition(" ")[2] for name in TOKENS)]:
        assert not [one for one in seen if secret.encode() in one]
    for upstream in gateway.upstreams:
        for request in upstream.seen:
            assert not [name for name, _ in request.headers if name.lower().startswith("proxy-")]


def who_asked(gateway) -> list[tuple[str, str]]:
    return [(decision["agent"]["id"], decision["answer"]) for decision in gateway.decisions()]


# real clients


async def threaded(work):
    return await asyncio.to_thread(work)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_requests_comes_in_by_the_name_in_its_proxys_url(gateway, tmp_path, scheme):
    upstream = await gateway.upstream(tls=scheme == "https")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(gateway.authority.pem)

    def ask():
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": proxy(gateway), "https": proxy(gateway)}
            session.verify = str(ca)
            return [session.get(f"{scheme}://api.test/{path}", timeout=20).status_code for path in ("a", "b", "forbidden")]

    assert await threaded(ask) == [200, 200, 403]
    assert [seen.target for seen in upstream.seen] == ["/a", "/b"]
    await gateway.stop()
    assert who_asked(gateway) == [("mailer", "allow"), ("mailer", "allow"), ("mailer", "block")]
    nowhere(gateway)


@pytest.mark.parametrize(("scheme", "http2", "spoken"), [("http", False, "1.1"), ("https", False, "1.1"), ("https", True, "2")])
async def test_httpx_comes_in_and_two_agents_at_once_are_two(gateway, scheme, http2, spoken):
    upstream = await gateway.upstream(tls=scheme == "https", alpn=("h2", "http/1.1"))

    async def ask(name: str) -> list[tuple[int, str]]:
        said = {"http1": not http2, "http2": http2, "trust_env": False, "timeout": 20}
        async with httpx.AsyncClient(proxy=proxy(gateway, name), verify=gateway.context(), **said) as client:
            answers = [await client.get(f"{scheme}://api.test/{path}") for path in ("a", "pay", "b", "pay")]
        return [(answer.status_code, answer.http_version) for answer in answers]

    mailer, payer = await asyncio.gather(ask("mailer"), ask("payer"))
    assert mailer == [(status, f"HTTP/{spoken}") for status in (200, 403, 200, 403)]
    assert payer == [(200, f"HTTP/{spoken}")] * 4
    assert len(upstream.seen) == 6
    await gateway.stop()
    assert sorted(who_asked(gateway)) == sorted(
        [("mailer", "allow"), ("mailer", "block")] * 2 + [("payer", "allow")] * 4,
    )
    nowhere(gateway)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("how", ["--proxy-basic", "--proxy-anyauth"])
async def test_curl_comes_in_whether_it_shows_its_token_at_once_or_when_asked(gateway, tmp_path, scheme, how):
    upstream = await gateway.upstream(tls=scheme == "https")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(gateway.authority.pem)
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--noproxy", "", how, "--cacert", str(ca), "-x", proxy(gateway), "-d", "body", "--max-time", "20"),
        *("-w", " %{http_code} %{num_connects}", f"{scheme}://api.test/a", "--next", "-sS", "--noproxy", "", how),
        *("--cacert", str(ca), "-x", proxy(gateway), "--max-time", "20", "-w", " %{http_code}", f"{scheme}://api.test/b"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told = (await curl.communicate())[0].decode()
    assert curl.returncode == 0, told
    assert [(seen.method, seen.target, bytes(seen.body)) for seen in upstream.seen] == [
        ("POST", "/a", b"body"),
        ("GET", "/b", b""),
    ]
    await gateway.stop()
    assert who_asked(gateway) == [("mailer", "allow")] * 2
    assert gateway.events("stranger") == [], "who was asked, and then said who it is, is nobody to note"
    nowhere(gateway)


async def test_pythons_own_client_reads_why_its_tunnel_is_refused(gateway):
    def ask(**headers):
        client = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=ssl.create_default_context(), timeout=20)
        client.set_tunnel("api.test", 443, headers)
        with pytest.raises(OSError, match="Tunnel connection failed") as error:
            client.request("GET", "/")
        client.close()
        return str(error.value)

    assert "407 This egress gate serves agents that it knows." in await threaded(ask)
    wrong = {"Proxy-Authorization": basic("mailer", "wrong")}
    assert "407 The egress gate does not know this name" in await threaded(lambda: ask(**wrong))
    gone = {"Proxy-Authorization": basic("gone")}
    assert "403 This agent was revoked" in await threaded(lambda: ask(**gone))


# being asked


async def test_who_is_asked_goes_on_by_the_same_connection(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        asked = await get(client)
        assert (asked.status, asked.header("proxy-authenticate")) == (407, 'Basic realm="outgate"')
        assert asked.header("connection") is None
        assert (await get(client, credentials=shown("mailer"))).status == 200
    assert len(upstream.seen) == 1


async def test_a_tunnel_is_asked_for_on_one_connection_and_opened_on_it(gateway):
    await gateway.upstream()
    async with await gateway.plain() as client:
        assert await connect(client) == 407
        assert await connect(client, shown("mailer")) == 200
        await client.tls(gateway.context("http/1.1"), "api.test")
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200


async def test_two_requests_that_come_together_are_each_asked(gateway):
    async with await gateway.plain() as client:
        await client.send("GET http://api.test/a HTTP/1.1\r\nHost: api.test\r\n\r\n" * 2)
        assert [(await client.answer()).status for _ in range(2)] == [407, 407]


async def test_who_is_asked_too_often_is_shown_out(gateway):
    async with await gateway.plain() as client:
        answers = [await get(client) for _ in range(8)]
        assert [answer.status for answer in answers] == [407] * 8
        assert [answer.header("connection") for answer in answers] == [None] * 7 + ["close"]
        assert await client.rest() == b""


async def test_a_small_body_of_who_is_asked_is_dropped_and_the_connection_goes_on(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        await client.send("POST http://api.test/a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 19\r\n\r\nGET /a ")
        assert (await client.answer()).status == 407
        await client.send("HTTP/1.1\r\n\r\n")
        await client.send(
            f"\r\nPOST http://api.test/b HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n{shown('mailer')}\r\nbody"
        )
        assert (await client.answer()).status == 200
    assert [(seen.target, bytes(seen.body)) for seen in upstream.seen] == [("/b", b"body")]


@pytest.mark.parametrize(
    "said", ["Content-Length: 70000", "Transfer-Encoding: chunked", "Content-Length: 4\r\nContent-Length: 5"]
)
async def test_a_body_that_nobody_reads_ends_the_connection(gateway, said):
    async with await gateway.plain() as client:
        await client.send(f"POST http://api.test/a HTTP/1.1\r\nHost: api.test\r\n{said}\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (407, "close")
        assert await client.rest() == b""


async def test_a_client_that_waits_with_its_body_need_not_send_it(gateway):
    async with await gateway.plain() as client:
        await client.send(
            "POST http://api.test/a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await client.answer()).status == 407


async def test_a_head_request_is_asked_without_a_body(gateway):
    await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        await client.send("HEAD http://api.test/a HTTP/1.1\r\nHost: api.test\r\n\r\n")
        assert (await client.head()).status == 407
        assert (await get(client, credentials=shown("mailer"))).status == 200


async def test_an_old_client_is_asked_and_its_connection_ends(gateway):
    async with await gateway.plain() as client:
        await client.send("GET http://api.test/a HTTP/1.0\r\nHost: api.test\r\n\r\n")
        assert (await client.answer()).status == 407
        assert await client.rest() == b""


# being turned away


MALFORMED = {
    "nothing": "Proxy-Authorization:\r\n",
    "no pair": "Proxy-Authorization: Basic\r\n",
    "no base64": "Proxy-Authorization: Basic ====\r\n",
    "another scheme": "Proxy-Authorization: Bearer abc\r\n",
    "twice": shown("mailer") * 2,
    "two of them": shown("mailer") + shown("payer"),
    "NUL": shown("mailer", "\0"),
    "no colon": "Proxy-Authorization: Basic bWFpbGVy\r\n",
    "Cyrillic": shown("mailer").replace(
        basic("mailer")[6:], base64.b64encode(f"m\u0430iler:{TOKENS['mailer']}".encode()).decode()
    ),
    "name with a space": shown("mailer").replace(
        basic("mailer")[6:], base64.b64encode(f"mailer :{TOKENS['mailer']}".encode()).decode()
    ),
}


@pytest.mark.parametrize("credentials", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("tunnel", [False, True])
async def test_credentials_that_can_not_be_read_let_nobody_in(gateway, credentials, tunnel):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        status = await connect(client, credentials) if tunnel else (await get(client, credentials=credentials)).status
        assert status == 407
    assert upstream.accepted == 0


@pytest.mark.parametrize("lower", ["proxy-authorization: basic ", "PROXY-AUTHORIZATION: BASIC  "])
async def test_how_the_header_is_written_does_not_matter(gateway, lower):
    await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await get(client, credentials=f"{lower}{basic('mailer')[6:]}\r\n")).status == 200


@pytest.mark.parametrize("tunnel", [False, True])
@pytest.mark.parametrize(
    ("name", "token", "status", "why", "claimed"),
    [
        ("mailer", "wrong", 407, "wrong-token", "mailer"),
        ("mailer", TOKENS["payer"], 407, "wrong-token", "mailer"),
        ("gone", "wrong", 407, "wrong-token", "gone"),
        ("hunter2", "hunter2", 407, "unknown-agent", ""),
        ("gone", None, 403, "revoked", "gone"),
        ("elsewhere", None, 403, "wrong-address", "elsewhere"),
    ],
)
async def test_who_is_not_let_in_is_told_noted_and_counted(gateway, tunnel, name, token, status, why, claimed):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        credentials = shown(name, token)
        assert (await connect(client, credentials) if tunnel else (await get(client, credentials=credentials)).status) == status
        if status == 403:
            assert await client.rest() == b"", "who is known and not let in is shown out"
    assert upstream.accepted == 0
    await gateway.stop()
    assert gateway.events("stranger") == [{"host": "127.0.0.1", "why": why, "claimed": claimed, "count": 1}]
    assert gateway.decisions() == []
    assert f'outgate_identity_failures_total{{why="{why}"}} 1.0' in gateway.observer.text().decode()
    assert b"hunter2" not in b"".join(path.read_bytes() for path in (gateway.folder / "state").rglob("*") if path.is_file())
    nowhere(gateway)


async def test_who_may_come_from_here_does(gateway):
    await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await get(client, credentials=shown("near"))).status == 200


async def test_who_says_nothing_and_leaves_is_noted(gateway):
    async with await gateway.plain() as client:
        assert (await get(client)).status == 407
    async with await gateway.plain():
        pass  # a probe that says nothing is nobody
    await gateway.stop()
    assert gateway.events("stranger") == [{"host": "127.0.0.1", "why": "no-credentials", "claimed": "", "count": 1}]


@pytest.mark.parametrize(
    "garbage", ["SSH-2.0-x\r\n", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "GET /\r\n\r\n"]
)
async def test_what_is_no_request_from_nobody_is_refused_and_decided_by_nobody(gateway, garbage):
    async with await gateway.plain() as client:
        await client.send(garbage)
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (400, "close")
        assert await client.rest() == b""
    await gateway.stop()
    assert gateway.decisions() == []
    assert [event["why"] for event in gateway.events("stranger")] == ["unreadable"]


async def test_guessing_again_and_again_takes_longer_each_time_and_holds_up_nobody_else(gateway, monkeypatch):
    await gateway.upstream(tls=False)
    slowed = []
    monkeypatch.setattr(gateway.addon.doors, "_slowing", slowing := doors.Slowing(first=0.01, most=0.04))
    failed = slowing.failed
    monkeypatch.setattr(doors.Slowing, "failed", lambda self, *said: slowed.append(failed(*said)) or slowed[-1])
    for _ in range(4):
        async with await gateway.plain() as client:
            assert (await get(client, credentials=shown("mailer", "guess"))).status == 407
    assert slowed == [0.01, 0.02, 0.04, 0.04]
    slowing.first = slowing.most = 600.0
    async with await gateway.plain() as guesser, await gateway.plain() as client:
        await guesser.send(f"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n{shown('mailer', 'guess')}\r\n")
        while len(slowed) < 5:
            await asyncio.sleep(0)
        assert (await get(client, credentials=shown("mailer"))).status == 200


async def test_who_leaves_while_waiting_to_be_refused_leaves_nothing(gateway):
    gateway.addon.doors._slowing = doors.Slowing(first=600.0, most=600.0)
    async with await gateway.plain() as client:
        await client.send(f"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n{shown('mailer', 'guess')}\r\nmore")
    async with asyncio.timeout(20):
        while gateway.engine.clients:
            await asyncio.sleep(0)


async def test_the_one_who_stood_at_the_door_longest_makes_room(make):
    gateway = await make(policy_text=POLICY, limits=Limits(strangers=2))
    await fleet(gateway)
    await gateway.upstream(tls=False)
    first = await gateway.plain()
    others = [await gateway.plain() for _ in range(2)]
    assert await first.rest() == b""
    assert (await get(others[0], credentials=shown("mailer"))).status == 200
    for client in (first, *others):
        client.writer.close()


async def test_an_agent_has_so_many_connections_and_others_have_theirs(make):
    gateway = await make(policy_text=POLICY, limits=Limits(connections=2))
    await fleet(gateway)
    await gateway.upstream(tls=False)
    clients = [await gateway.plain() for _ in range(4)]
    statuses = [(await get(client, credentials=shown("mailer"))).status for client in clients[:3]]
    assert statuses == [200, 200, 429]
    assert (await get(clients[3], credentials=shown("payer"))).status == 200
    for client in clients:
        client.writer.close()


# one connection, several identities


async def test_a_connection_stays_its_first_agents(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await get(client, credentials=shown("mailer"))).status == 200
        other = await get(client, "/b", shown("payer"))
        assert (other.status, other.header("connection")) == (407, "close")
        assert await client.rest() == b""
    assert [seen.target for seen in upstream.seen] == ["/a"]
    await gateway.stop()
    assert [event["why"] for event in gateway.events("stranger")] == ["another-identity"]


async def test_each_request_shows_who_asks_for_it(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await get(client, credentials=shown("mailer"))).status == 200
        assert (await get(client, "/b")).status == 407, "a proxy between us may carry others"
        assert (await get(client, "/c", shown("mailer"))).status == 200
        assert (await get(client, "/d", shown("mailer", "wrong"))).status == 407
        assert await client.rest() == b""
    assert [seen.target for seen in upstream.seen] == ["/a", "/c"]


async def test_a_tunnel_is_its_agents_whatever_is_said_inside(gateway):
    upstream = await gateway.upstream()
    async with await gateway.plain() as client:
        assert await connect(client, shown("mailer")) == 200
        await client.tls(gateway.context("http/1.1"), "api.test")
        for credentials in ({}, {"Proxy_Authorization": basic("payer")}, {"Proxy_Authorization": basic("mailer", "wrong")}):
            await client.request("GET", "/a", "api.test", **credentials)
            assert (await client.answer()).status == 200
    assert len(upstream.seen) == 3
    await gateway.stop()
    assert who_asked(gateway) == [("mailer", "allow")] * 3
    nowhere(gateway)


async def test_nobody_is_asked_inside_a_tunnel_of_http2(gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    async with await gateway.plain() as client:
        assert await connect(client, shown("payer")) == 200
        await client.tls(gateway.context("h2"), "api.test")
        async with Streams(client) as streams:
            mine = await streams.request("GET", "/pay", "api.test")
            other = await streams.request("GET", "/forbidden", "api.test", headers=[("proxy-authorization", basic("mailer"))])
            await streams.until(lambda: {mine, other} <= streams.ended)
            assert [streams.answers[one].status for one in (mine, other)] == [200, 403]
    assert len(upstream.seen) == 1
    nowhere(gateway)


async def test_a_connect_inside_a_tunnel_leads_nowhere(gateway):
    other = await gateway.upstream("other.test")
    async with await gateway.plain() as client:
        assert await connect(client, shown("mailer")) == 200
        await client.send(f"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n{shown('payer')}\r\n")
        assert (await client.head()).status in {400, 403}
    assert other.accepted == 0


# what changes while it runs


async def test_whoever_is_revoked_is_dropped_in_the_middle_and_nobody_else(gateway):
    upstream = await gateway.upstream(tls=False)
    forever = asyncio.Event()

    async def slowly(turn):
        await turn.head(200, [("content-type", "text/plain")])
        await turn.send(b"first")
        await forever.wait()

    upstream.answers["/slow"] = slowly
    async with await gateway.plain() as mailer, await gateway.plain() as payer:
        for client, name in ((mailer, "mailer"), (payer, "payer")):
            await client.send(f"GET http://api.test/slow HTTP/1.1\r\nHost: api.test\r\n{shown(name)}\r\n")
            assert (await client.head()).status == 200
            assert await client.chunk() == b"first"
        revoked = Agents(by_name={**FLEET.by_name, "mailer": replace(FLEET.by_name["mailer"], revoked=True)})
        assert gateway.engine.adopt(revoked) == 1
        assert await mailer.rest() == b""
        async with await gateway.plain() as again:
            assert (await get(again, credentials=shown("mailer"))).status == 403
        assert gateway.engine.agents == ("payer",)
        forever.set()
    await gateway.stop()


async def test_who_goes_on_is_the_agent_that_is_written_down_now(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await get(client, "/pay", shown("mailer"))).status == 403
        moved = replace(FLEET.by_name["mailer"], agent=Agent(id="mailer", team="finance", since=LONG_AGO))
        assert gateway.engine.adopt(Agents(by_name={**FLEET.by_name, "mailer": moved})) == 0
        assert (await get(client, "/pay", shown("mailer"))).status == 200
    assert len(upstream.seen) == 1


async def test_a_token_that_was_replaced_lets_nobody_in(gateway):
    new = Agents(by_name={**FLEET.by_name, "mailer": replace(FLEET.by_name["mailer"], token=token_digest("outgate_new"))})
    async with await gateway.plain() as client:
        assert await connect(client, shown("mailer")) == 200
        assert gateway.engine.adopt(new) == 1
        assert await client.rest() == b""
    async with await gateway.plain() as client:
        assert await connect(client, shown("mailer")) == 407
        assert await connect(client, shown("mailer", "outgate_new")) == 200


# a listener of one's own


async def test_a_listener_of_its_own_needs_no_credentials_and_ignores_those_of_others(gateway):
    upstream = await gateway.upstream(tls=False)
    gateway.port = await gateway.listen("payer")
    async with await gateway.plain() as client:
        assert (await get(client, "/pay")).status == 200
        assert (await get(client, "/pay", shown("mailer"))).status == 200
    assert len(upstream.seen) == 2
    await gateway.stop()
    assert who_asked(gateway) == [("payer", "allow")] * 2
    nowhere(gateway)


@pytest.mark.parametrize("name", ["gone", "elsewhere", "nobody"])
async def test_a_listener_of_one_who_may_not_come_in_lets_nobody_in(gateway, name):
    upstream = await gateway.upstream(tls=False)
    gateway.port = await gateway.listen(name)
    async with await gateway.plain() as client:
        assert (await get(client)).status == 403
        assert await client.rest() == b""
    assert upstream.accepted == 0


async def test_whose_listener_it_is_is_dropped_when_revoked(gateway):
    gateway.port = await gateway.listen("payer")
    async with await gateway.plain() as client:
        assert await connect(client) == 200
        assert gateway.engine.adopt(Agents(by_name={"mailer": FLEET.by_name["mailer"]})) == 1
        assert await client.rest() == b""


# what it may write


async def test_what_strangers_try_is_merged_and_bounded(gateway, monkeypatch):
    monkeypatch.setattr(notes, "_HOURLY", 3)
    await gateway.upstream(tls=False)
    for name in ("mailer", "payer", "near", "elsewhere", "gone"):
        for _ in range(3):
            async with await gateway.plain() as client:
                assert (await get(client, credentials=shown(name, "guess"))).status == 407
    async with await gateway.plain() as client:
        assert (await get(client, credentials=shown("mailer"))).status == 200
    await gateway.stop()
    noted = [(event["claimed"], event["count"]) for event in gateway.events("stranger")]
    assert noted[:3] == [("mailer", 1), ("payer", 1), ("near", 1)]
    assert sum(count for _, count in noted) == 15
    assert len(noted) <= 8


async def test_refusals_that_fill_the_record_are_refused_before_they_do(make):
    gateway = await make(policy_text=POLICY, limits=Limits(refusals=8 * 1024))
    await fleet(gateway)
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client, await gateway.plain() as other:
        answers = [await get(client, "/forbidden", shown("mailer")) for _ in range(30)]
        statuses = [answer.status for answer in answers]
        assert set(statuses[:3]) == {403}
        assert statuses[-1] == 429
        assert int(answers[-1].header("retry-after")) > 0
        assert (await get(client, "/a", shown("mailer"))).status == 429, "nothing of it can be decided without being recorded"
        assert (await get(other, "/a", shown("payer"))).status == 200
    assert len(upstream.seen) == 1
    await gateway.stop()
    assert len([one for one in gateway.decisions() if one["agent"]["id"] == "mailer"]) == statuses.count(403)
    assert sum(event["count"] for event in gateway.events("unrecorded")) == statuses.count(429) + 1


async def test_a_body_is_not_gathered_for_what_is_refused_unread(make):
    gateway = await make(policy_text=POLICY, limits=Limits(refusals=1024), reads_bodies=True)
    await fleet(gateway)
    async with await gateway.plain() as client:
        assert (await get(client, "/forbidden", shown("mailer"))).status == 403
        await client.send(
            f"POST http://api.test/forbidden HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n{shown('mailer')}\r\nbody"
        )
        assert (await client.answer()).status == 429
        assert (await get(client, "/forbidden", shown("mailer"))).status == 429, "and the connection goes on"
