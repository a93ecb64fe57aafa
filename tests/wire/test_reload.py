"""Hot reload on the wire: what is under way ends as it was decided, what comes next goes by what is written now."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from signed import Signer
from wire.living import Living, endless, waits

from outgate.intake.credentials import token_digest

BLOCKS = '{id: closed, match: {resource: "*/door*"}, effect: block, tell: "Closed."}'
ASKS = '{id: asks, match: {resource: "*/door*"}, effect: escalate, to: ops}'
OPEN = '{id: elsewhere, match: {resource: "*/elsewhere*"}, effect: block}'


@pytest.fixture
async def gate(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    made = Living(tmp_path, Signer("alice").public)
    yield made
    await made.end()


async def test_what_is_under_way_ends_under_the_old_and_what_comes_next_is_decided_by_the_new(gate):
    upstream = await gate.upstream("api.test")
    await gate.start()
    asked, go = asyncio.Event(), asyncio.Event()
    upstream.answers["/door"] = waits(asked, go)
    async with await gate.https("api.test") as client:
        await client.request("GET", "/door", "api.test")
        await asked.wait()
        gate.says(BLOCKS)
        assert (await gate.reload())["changed"]
        go.set()
        assert (await client.answer()).body == b"in peace"
        await client.request("GET", "/door", "api.test")
        assert (await client.answer()).status == 403
    first, second = gate.own("decision")
    (reload,) = gate.own("reload")
    assert reload["about"]["policy"] == {"was": first["policy"], "is": second["policy"]}
    assert reload["about"]["files"] == [str(gate.policy)]
    assert (first["answer"], second["answer"]) == ("allow", "block")


async def test_a_file_that_is_saved_is_taken_up_without_a_word(gate):
    await gate.upstream("api.test")
    await gate.start()
    draft = gate.policy.with_name("mine.yaml~")
    before = gate.policy.read_text()
    gate.says(BLOCKS)
    gate.policy.rename(draft)
    gate.policy.write_text(before)
    await gate.live.reloading.look()
    draft.rename(gate.policy)
    await gate.until(lambda: gate.own("reload"))
    assert (await gate.get("api.test", "/door")).status == 403


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "rules: [",
        "outgate: policy/v1alpha\npolicy: x\nmode: enforce\n",
        "outgate: policy/v1alpha\npolicy: x\nmode: enforce\notherwise: block\nrulez: []\n",
        "outgate: policy/v9\npolicy: x\notherwise: allow\n",
    ],
)
async def test_a_broken_file_changes_nothing_and_says_so(gate, broken):
    await gate.upstream("api.test")
    gate.says(BLOCKS)
    await gate.start()
    gate.policy.write_text(broken)
    said = await gate.reload()
    assert not said["ok"]
    assert all(str(gate.policy) in problem for problem in said["problems"])
    assert (await gate.get("api.test", "/door")).status == 403
    assert (await gate.get("api.test", "/window")).status == 200
    assert gate.own("reload") == []
    assert gate.own("reload-refused")[0]["about"]["problems"] == said["problems"]


async def test_a_file_cut_at_any_place_never_opens_what_was_closed(gate):
    await gate.upstream("api.test")
    gate.says(BLOCKS)
    await gate.start()
    whole = gate.policy.read_text()
    for length in range(0, len(whole) - 1, 23):
        gate.policy.write_text(whole[:length])
        if (await gate.live.reloading.now()).ok:
            assert (await gate.get("api.test", "/door")).status == 403, whole[:length]
    gate.policy.write_text(whole)
    assert (await gate.live.reloading.now()).ok


async def test_what_waits_for_people_is_decided_again_by_the_new(gate):
    upstream = await gate.upstream("api.test")
    gate.says(ASKS)
    await gate.start()
    async with await gate.https("api.test") as one, await gate.https("api.test", agent="mailer") as other:
        await one.request("GET", "/door/one", "api.test")
        await other.request("GET", "/door/two", "api.test")
        await gate.until(lambda: gate.parts.gate.held == 2)
        assert upstream.accepted == 0
        gate.says('{id: one-stays, match: {resource: "*/door/one"}, effect: block}')
        await gate.reload()
        assert (await one.answer()).status == 403
        assert (await other.answer()).status == 200


async def test_a_destination_that_moves_is_followed_by_the_next_request(gate):
    old = await gate.upstream("api.test")
    await gate.start()
    asked, go = asyncio.Event(), asyncio.Event()
    old.answers["/slow"] = waits(asked, go)
    async with await gate.https("api.test") as client:
        await client.request("GET", "/slow", "api.test")
        await asked.wait()
        new = await gate.upstream("api.test")
        assert (await gate.reload())["changed"]
        assert (await gate.get("api.test", "/next")).status == 200
        go.set()
        assert (await client.answer()).body == b"in peace"
    assert ([one.target for one in old.seen], [one.target for one in new.seen]) == (["/slow"], ["/next"])


async def test_an_agent_that_is_revoked_is_cut_and_the_others_are_not(gate):
    upstream = await gate.upstream("api.test")

    def write(revoked):
        entries = "".join(
            f"  {name}: {{token: '{token_digest(name)}'{', revoked: true' if name in revoked else ''}}}\n"
            for name in ("ann", "ben")
        )
        gate.agents.write_text(f"outgate: agents/v1alpha\nagents:\n{entries}")

    def shows(name):
        import base64

        return f"Proxy-Authorization: Basic {base64.b64encode(f'{name}:{name}'.encode()).decode()}\r\n"

    write(())
    await gate.start()
    begun, asked, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    upstream.answers |= {"/events": endless(begun), "/slow": waits(asked, go)}
    cut = await gate.https("api.test", agent="", shows=shows("ann"))
    stays = await gate.https("api.test", agent="", shows=shows("ben"))
    async with cut, stays:
        await cut.request("GET", "/events", "api.test")
        await stays.request("GET", "/slow", "api.test")
        await begun.wait()
        await asked.wait()
        write(("ann",))
        await gate.reload()
        await cut.rest()
        go.set()
        assert (await stays.answer()).body == b"in peace"
    assert gate.own("reload")[0]["about"]["gone"] == 1
    assert gate.own("reload")[0]["about"]["agents"]["was"] != gate.own("reload")[0]["about"]["agents"]["is"]


async def test_what_takes_a_restart_is_said_and_the_rest_is_adopted(gate):
    await gate.upstream("api.test")
    await gate.start()
    gate.says(BLOCKS)
    config = gate.folder / "config.yaml"
    config.write_text(config.read_text().replace("hold: 60 s", "hold: 30 s\nlisten: {address: '127.0.0.1:0'}"))
    said = await gate.reload()
    assert (said["ok"], "listen" in said["restart"]) == (True, True)
    assert (await gate.get("api.test", "/door")).status == 403


async def test_while_requests_come_each_is_decided_by_exactly_one_of_what_was_written(gate):
    upstream = await gate.upstream("api.test")
    gate.says(OPEN)
    await gate.start()
    digests = {gate.parts.gate.ground.policy.digest: "allow"}
    answers, over = Counter(), asyncio.Event()

    async def ask():
        async with await gate.https("api.test") as client:
            while not over.is_set():
                await client.request("GET", "/door", "api.test")
                answers[(await client.answer()).status] += 1

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    for turn in range(6):
        gate.says(BLOCKS if turn % 2 == 0 else OPEN)
        assert (await gate.live.reloading.now()).ok
        digests[gate.parts.gate.ground.policy.digest] = "block" if turn % 2 == 0 else "allow"
        before = answers.total()
        await gate.until(lambda before=before: answers.total() > before + 8)
    over.set()
    await asyncio.gather(*asking)
    decisions = gate.own("decision")
    assert {(one["policy"], one["answer"]) for one in decisions} == set(digests.items())
    assert sum(one["answer"] == "allow" for one in decisions) == len(upstream.seen) == answers[200]


async def test_the_status_tells_of_it(gate):
    await gate.upstream("api.test")
    await gate.start()
    gate.policy.write_text("rules: [")
    await gate.reload()
    status = json.loads(json.dumps(await gate.live._status()))
    assert status["reload"]["ok"] is False
    assert status["policy"]["name"] == "living"
