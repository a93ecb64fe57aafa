"""outgate.app.live: over a whole gate, in a real folder, asked at its own socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from textwrap import dedent

import ports
import pytest

from outgate.app.gates import ask, socket_path
from outgate.app.grounds import grounds
from outgate.app.live import Live, doors_of
from outgate.app.parts import Parts
from outgate.ca.authority import make_authority
from outgate.errors import ConfigError, UnavailableError
from outgate.halt import Halt, Scope
from outgate.intake.agents import Agent
from outgate.keys.ed25519 import SigningKey
from outgate.settings import Settings
from outgate.stores.logs import receipts_of
from outgate.stores.switch import FILE, SwitchFile
from outgate.telemetry.metrics import Metrics
from outgate.telemetry.places import Endpoint

KEY = SigningKey.from_seed(bytes(32))
POLICY = """
    outgate: policy/v1alpha
    policy: {name}
    mode: enforce
    otherwise: {{T0: allow, T1: allow, T2: block, T3: block, unmapped: {{read: allow, other: block}}}}
"""
TOKEN = "0123456789abcdef-a-token"


class Running:
    """A gate that is built, and everything that goes on beside its requests."""

    def __init__(self, folder):
        self.folder = folder
        self.policy = folder / "mine.yaml"
        self.write("first")

    def write(self, name):
        self.policy.write_text(dedent(POLICY.format(name=name)))

    def read(self):
        return grounds(policies=(str(self.policy),))

    async def start(self, stack, **said):
        self.parts = Parts(found=self.read(), key=KEY, metrics=Metrics())
        await self.parts.build(stack, make_authority(datetime.now(UTC)))
        self.live = await stack.enter_async_context(Live(self.parts, kind="run", read=self.read, **said))
        return self

    @property
    def state(self):
        return self.parts.found.state

    async def ask(self, method, page):
        (answer,) = await asyncio.to_thread(ask, self.state, method, page)
        assert answer.wrong == ""
        return answer.said

    def events(self):
        return [(receipt.type, receipt.fields["about"]) for receipt in receipts_of(self.parts.journal.folder)]


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("l")
    monkeypatch.setenv("OUTGATE_STATE", str(folder / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(folder / "config"))
    return folder


@pytest.fixture
async def running(folder, stack):
    return await Running(folder).start(stack)


async def test_it_can_be_asked_at_a_socket_of_its_own(running):
    path = socket_path(running.state, running.parts.journal.writer)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    said = await running.ask("GET", "/status")
    assert (said["kind"], said["pid"], said["policy"]["name"], said["unready"]) == ("run", os.getpid(), "first", [])
    assert said["switch"] == {"halts": [], "problem": ""}
    assert said["reload"] is None


async def test_its_socket_goes_with_it(folder):
    async with AsyncExitStack() as stack:
        running = await Running(folder).start(stack)
        path = socket_path(running.state, running.parts.journal.writer)
    assert not path.exists()


async def test_a_refresh_takes_up_the_switch_at_once_and_writes_it_down(running):
    await asyncio.to_thread(
        SwitchFile.open(running.state).halt, Halt(scope=Scope.AGENT, name="mailer", why="strange", by="alice")
    )
    said = await running.ask("POST", "/refresh")
    assert [(one["name"], one["cut"]) for one in said["halts"]] == [("mailer", 0)]
    assert running.parts.switch.halted(Agent(id="mailer"))
    await running.live.switch.settled()
    assert [(what, about["name"], about["by"]) for what, about in running.events()] == [("cut", "mailer", "alice")]
    assert b'outgate_halts{scope="agent"} 1.0' in running.parts.metrics.text()


async def test_nobody_needs_to_tell_it_of_a_halt(running):
    await asyncio.to_thread(SwitchFile.open(running.state).halt, Halt(scope=Scope.ALL))
    while running.parts.switch.halted(Agent(id="anybody")) is None:
        await asyncio.sleep(0.01)


async def test_a_spoilt_switch_makes_it_unready_and_says_so(running):
    (running.state / FILE).write_text("?")
    await running.ask("POST", "/refresh")
    said = await running.ask("GET", "/status")
    assert "can't be relied on" in said["switch"]["problem"]
    assert said["unready"] == [said["switch"]["problem"]]


async def test_what_people_wrote_since_holds_when_it_is_told_to_read_it(running):
    was = running.parts.gate.ground.policy.digest
    running.write("second")
    said = await running.ask("POST", "/reload")
    policy = running.parts.gate.ground.policy
    assert (said["ok"], said["changed"], policy.name) == (True, True, "second")
    ((what, about),) = running.events()
    assert (what, about["policy"]) == ("reload", {"was": was, "is": policy.digest})
    assert (await running.ask("GET", "/status"))["reload"]["ok"]
    shown = running.parts.metrics.text().decode()
    assert f'outgate_policy_info{{digest="{policy.digest[7:19]}' in shown
    assert was[7:19] not in shown


async def test_a_broken_policy_changes_nothing_and_every_problem_is_in_the_status(running):
    running.policy.write_text("outgate: policy/v1alpha\npolicy: x\nrulez: []\nmode: sometimes\n")
    said = await running.ask("POST", "/reload")
    assert not said["ok"]
    assert running.parts.gate.ground.policy.name == "first"
    problems = "\n".join((await running.ask("GET", "/status"))["reload"]["problems"])
    assert f"{running.policy}:3" in problems
    assert f"{running.policy}:4" in problems
    assert b"outgate_reload_failing 1.0" in running.parts.metrics.text()


async def test_a_policy_whose_own_cases_fail_is_not_adopted(running):
    running.write("second")
    running.policy.with_name("mine.cases.yaml").write_text(
        dedent("""
        outgate: cases/v1alpha
        policy: second
        cases:
          - {name: writing there is fine, request: POST https://unknown.test/x, answer: allow}
        """)
    )
    said = await running.ask("POST", "/reload")
    assert "case 'writing there is fine'" in said["problems"][0]
    assert running.parts.gate.ground.policy.name == "first"


async def test_it_sees_by_itself_that_a_file_changed(running):
    running.write("second")
    while (await running.live.reloading.look()) is None:
        pass
    assert running.parts.gate.ground.policy.name == "second"


async def test_a_hangup_has_everything_read_again_where_that_is_wanted(folder, stack):
    running = await Running(folder).start(stack, hangup=True)
    running.write("second")
    os.kill(os.getpid(), signal.SIGHUP)
    while running.parts.gate.ground.policy.name == "first":
        await asyncio.sleep(0.01)


async def test_a_hangup_is_otherwise_left_as_it_was(folder, stack):
    before = signal.getsignal(signal.SIGHUP)
    await Running(folder).start(stack)
    assert signal.getsignal(signal.SIGHUP) is before


async def test_a_step_of_the_clock_is_written_down(running):
    running.parts.clock.stepped(3.0)
    while not running.events():
        await asyncio.sleep(0.01)
    assert running.events() == [("clock-stepped", {"milliseconds": 3000, "large": False})]


async def test_a_gate_without_a_socket_goes_on_and_says_so(folder, stack):
    (folder / "state").mkdir()
    (folder / "state" / "gates").write_text("in the way")
    running = await Running(folder).start(stack)
    assert b'outgate_alarms_total{doing="listening for the operator"} 1.0' in running.parts.metrics.text()
    await asyncio.to_thread(SwitchFile.open(running.state).halt, Halt(scope=Scope.ALL))
    while running.parts.switch.halted(Agent(id="anybody")) is None:
        await asyncio.sleep(0.01)


async def test_doors_that_were_asked_for_are_opened_and_no_request_is_sent_to_them(folder, stack, free_port):
    place = f"127.0.0.1:{free_port}"
    running = await Running(folder).start(stack, doors=doors_of(Settings(), place))
    assert running.parts.own == {("127.0.0.1", free_port)}
    reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert b"outgate_build_info" in await reader.read()
    writer.close()


async def test_a_door_that_can_not_be_had_is_one_sentence_and_leaves_no_other(folder):
    (folder / "file").touch()
    async with AsyncExitStack() as stack:
        with pytest.raises(UnavailableError, match="can't serve metrics"):
            await Running(folder).start(stack, doors=doors_of(Settings(), str(folder / "file" / "m.sock")))
    assert list((folder / "state" / "gates").iterdir()) == []


@pytest.fixture
def free_port():
    return ports.free_port()


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    return file


def test_without_being_asked_nothing_is_opened():
    assert doors_of(Settings()) == ()


def test_metrics_on_this_machine_need_no_token_and_show_nothing_else():
    (door,) = doors_of(Settings(metrics=":9464"))
    assert (door.place, door.rights.everything, door.rights.token, door.rights.tcp) == (
        Endpoint(host="127.0.0.1", port=9464),
        False,
        None,
        True,
    )


@pytest.mark.parametrize("settings", [Settings(metrics="0.0.0.0:9464"), Settings(admin=":9465"), Settings(admin="10.0.0.1:9465")])
def test_what_others_can_reach_needs_the_token(settings, token):
    with pytest.raises(ConfigError, match="name an 'admin_token_file'"):
        doors_of(settings)
    (door,) = doors_of(replace(settings, admin_token_file=token))
    assert door.rights.token is not None
    assert door.rights.everything is (settings.admin is not None)


def test_a_socket_file_needs_none(tmp_path):
    admin, metrics = doors_of(Settings(admin=str(tmp_path / "a.sock"), metrics=str(tmp_path / "m.sock")))
    assert (admin.rights.everything, admin.rights.token) == (True, None)
    assert (metrics.rights.everything, metrics.rights.token) == (False, None)


def test_what_the_command_line_says_of_metrics_holds_over_the_settings():
    (door,) = doors_of(Settings(metrics=":9464"), ":9465")
    assert door.place == Endpoint(host="127.0.0.1", port=9465)


async def test_its_status_is_plain_json(running):
    assert json.loads(json.dumps(await running.ask("GET", "/status")))["gate"] == running.parts.journal.writer
