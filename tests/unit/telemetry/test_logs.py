import json
import logging
import stat
import warnings
from pathlib import Path

import pytest

from outgate.errors import UnavailableError
from outgate.telemetry.logs import LOGGER, LogAlarm, logging_to
from outgate.telemetry.metrics import Metrics

CANARY = "ghp_" + "a1B2c3D4" * 4


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "logs" / "gate.log"


def unexpected():
    raise AssertionError("a line was lost")


def failing():
    try:
        int(f"Bearer {CANARY}")
    except ValueError as error:
        raise RuntimeError("could not") from error


def test_a_line_is_one_object(file):
    with logging_to(file, "info", unexpected):
        LOGGER.info("started %s", "here\nand there", extra={"fields": {"port": 7}})
    (line,) = lines(file)
    assert (line["level"], line["logger"], line["fields"]) == ("info", "outgate", {"port": "7"})
    assert line["at"].endswith("+00:00")


def test_only_its_owner_reads_a_log(file):
    with logging_to(file, "info", unexpected):
        LOGGER.info("started")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_less_than_was_asked_for_is_not_written(file):
    with logging_to(file, "warning", unexpected):
        LOGGER.info("started")
    assert lines(file) == []


def test_other_libraries_are_heard_only_when_it_is_grave(file):
    with logging_to(file, "debug", unexpected):
        logging.getLogger("hpack").setLevel(logging.DEBUG)
        logging.getLogger("hpack").debug("decoded authorization")
        logging.getLogger("outgate.net").debug("ours")
        logging.getLogger("asyncio").error("theirs")
    assert [line["message"] for line in lines(file)] == ["ours", "theirs"]


def test_warnings_go_to_the_log_and_not_to_the_terminal(file, capfd):
    with logging_to(file, "info", unexpected), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("odd", stacklevel=1)
    assert ["odd" in line["message"] for line in lines(file)] == [True]
    assert capfd.readouterr() == ("", "")


def test_an_alarm_says_where_it_happened_and_is_counted(file):
    metrics = Metrics()
    with logging_to(file, "info", unexpected):
        with pytest.raises(RuntimeError) as raised:
            failing()
        LogAlarm(metrics).raise_for(raised.value, "deciding a request")
    (line,) = lines(file)
    assert line["message"] == "failed while deciding a request"
    assert [error["kind"] for error in line["errors"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert line["errors"][0]["at"][-1].endswith(" failing")
    assert b'outgate_alarms_total{doing="deciding a request"} 1.0' in metrics.text()


def test_a_credential_in_an_error_is_masked(file):
    with logging_to(file, "info", unexpected):
        with pytest.raises(RuntimeError) as raised:
            failing()
        LogAlarm(Metrics()).raise_for(raised.value, "deciding a request")
        LOGGER.warning("with %s", CANARY, extra={"fields": {"key": CANARY}})
    assert CANARY not in file.read_text()


def test_an_error_that_caused_itself_is_told_in_bounds(file):
    error = RuntimeError("again")
    error.__context__ = error
    with logging_to(file, "info", unexpected):
        LogAlarm(Metrics()).raise_for(error, "looping")
    assert len(lines(file)[0]["errors"]) == 5


def test_a_full_disk_is_counted_and_nothing_is_raised(capfd):
    lost = []
    with logging_to(Path("/dev/full"), "info", lambda: lost.append(1)):
        LOGGER.info("to nowhere")
        LOGGER.info("broken %d", "x")
    assert len(lost) == 3  # two lines, and what was left over at the end
    assert capfd.readouterr() == ("", "")


def test_a_log_is_bounded_and_stays_its_owners(file):
    with logging_to(file, "info", unexpected):
        (handler,) = logging.getLogger().handlers
        handler.maxBytes = 1000
        for n in range(100):
            LOGGER.info("line %d", n)
    files = sorted(file.parent.iterdir())
    assert [one.name for one in files] == ["gate.log", "gate.log.1", "gate.log.2", "gate.log.3"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_what_was_set_before_is_set_after(file):
    root = logging.getLogger()
    before = (list(root.handlers), LOGGER.level)
    with logging_to(file, "debug", unexpected):
        assert root.handlers != before[0]
    assert (list(root.handlers), LOGGER.level) == before


def test_without_a_file_lines_go_to_standard_error(capsys):
    with logging_to(None, "info", unexpected):
        LOGGER.info("started")
    assert json.loads(capsys.readouterr().err)["message"] == "started"


def test_a_place_that_can_not_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UnavailableError, match=r"can't write the log .*gate\.log: "),
        logging_to(tmp_path / "file" / "gate.log", "info", unexpected),
    ):
        pass


@pytest.mark.parametrize(
    "hostile", ["a\nb", "a\r\nb", "\x1b[2J", "\x7f", "\x9b2J", "\u202egnp", "\u2066x", "\u2028", "\x00", "\ud800"]
)
def test_whatever_an_agent_writes_a_line_is_one_line_that_drives_no_terminal(file, hostile):
    with logging_to(file, "info", lambda: None):
        try:
            raise ValueError(f"GET {hostile} from {hostile}")  # noqa: TRY301  # a traceback is wanted
        except ValueError as error:
            LogAlarm(Metrics()).raise_for(error, f"reading {hostile}")
        LOGGER.info("asked for %s", hostile, extra={"fields": {hostile: hostile}})
    text = file.read_text()
    assert len(text.splitlines()) == 2
    assert text.replace("\n", "").isprintable()
    assert text.isascii()
    assert all(json.loads(line) for line in text.splitlines())
