import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from asked import asked

from outgate.app.recording import LARGEST, Recorder
from outgate.mock import recording as canned
from outgate.stores.catalog_files import load_catalog
from outgate.stores.recordings import Recording, RecordingSwitch, answers_in

CATALOG = load_catalog()
NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
JSON = (("content-type", "application/json"),)


@dataclass
class Clock:
    seconds: float = 0.0

    def now(self):
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self):
        return self.seconds


@dataclass
class Alarm:
    told: list = field(default_factory=list)

    def raise_for(self, error, doing):
        self.told.append((str(error), doing))


def admitted(line="GET https://api.stripe.com/v1/balance?a=1", mocked="", services=("stripe",), **given):
    return SimpleNamespace(request=asked(line, **given), mocked=mocked, services=frozenset(services))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def alarm():
    return Alarm()


@pytest.fixture
def recorder(tmp_path, clock, alarm):
    made = Recorder(tmp_path / "state", catalog=lambda: CATALOG, clock=clock, alarm=alarm)
    yield made
    made.close()


@pytest.fixture
def switched_on(tmp_path):
    switch = RecordingSwitch(tmp_path / "state")
    switch.start(Recording(services=frozenset({"stripe"}), folder=tmp_path / "out", until=NOW + timedelta(hours=1)))
    return switch


def kept(tmp_path):
    return answers_in(tmp_path / "out" / "stripe.yaml")


def pass_by(recorder, *chunks, status=200, headers=JSON, whole=True, **given):
    tap = recorder.tap(admitted(**given))
    if tap is not None:
        for chunk in chunks:
            tap.feed(chunk)
        tap.end(status, headers, whole=whole)
    recorder.close()
    return tap


def test_what_is_recorded_in_one_form_is_bounded_alike_in_the_other():
    assert LARGEST == canned.LARGEST


def test_nothing_is_kept_where_nobody_asked_for_it(recorder, tmp_path):
    assert recorder.tap(admitted()) is None
    assert recorder._thread is None


def test_an_answer_is_kept_as_a_canned_one(recorder, switched_on, tmp_path):
    pass_by(recorder, b'{"a"', b": 1}")
    assert kept(tmp_path) == [{"on": "GET /v1/balance", "if": {"query.a": "1"}, "status": 200, "json": {"a": 1}}]


def test_no_credential_of_the_request_is_kept(recorder, switched_on, tmp_path):
    secret = "sk" + "_live_" + "Ab3" * 8
    line = f"GET https://api.stripe.com/v1/balance?api_key={secret}&b=2"
    pass_by(recorder, b"{}", line=line, headers=JSON)
    assert secret not in (tmp_path / "out" / "stripe.yaml").read_text()
    assert kept(tmp_path)[0]["if"] == {"query.b": "2"}


@pytest.mark.parametrize(
    "given",
    [
        {"mocked": "stripe"},
        {"services": ("github",)},
        {"services": ("stripe", "github")},
    ],
)
def test_what_is_mocked_or_of_another_service_is_not(recorder, switched_on, given):
    assert recorder.tap(admitted(**given)) is None


@pytest.mark.parametrize(
    "given",
    [{"whole": False}, {"status": 503}, {"status": 101}, {"headers": (("content-type", "image/png"),)}],
)
def test_an_answer_that_failed_or_is_not_text_is_not(recorder, switched_on, tmp_path, given):
    assert pass_by(recorder, b'{"a": 1}', **given) is not None
    assert kept(tmp_path) == []


def test_of_a_large_answer_nothing_is_held(recorder, switched_on, tmp_path):
    tap = recorder.tap(admitted())
    for _ in range(3):
        tap.feed(b"x" * (LARGEST // 2))
    assert tap._body is None
    tap.end(200, JSON, whole=True)
    recorder.close()
    assert kept(tmp_path) == []


def test_it_begins_and_ends_within_a_second_and_by_itself(recorder, switched_on, clock):
    assert recorder.tap(admitted()) is not None
    switched_on.stop()
    assert recorder.tap(admitted()) is not None
    clock.seconds = 1.0
    assert recorder.tap(admitted()) is None
    clock.seconds = 7200.0
    assert recorder.tap(admitted()) is None


def test_a_folder_that_can_not_be_written_is_told_and_the_answer_passes(recorder, switched_on, tmp_path, alarm):
    (tmp_path / "out").write_text("a file")
    pass_by(recorder, b"{}")
    assert [doing for _, doing in alarm.told] == ["keeping an answer for the sandbox"]


def test_nobody_waits_for_a_recording(recorder, switched_on, tmp_path, monkeypatch):
    wait, began = threading.Event(), threading.Event()

    def slow(*_):
        began.set()
        wait.wait(30)

    monkeypatch.setattr("outgate.app.recording._write", slow)
    for _ in range(100):
        tap = recorder.tap(admitted())
        if tap is None:
            break
        tap.end(200, JSON, whole=True)
    assert began.wait(30)
    assert recorder.tap(admitted()) is None, "what would wait too long is let go"
    wait.set()
