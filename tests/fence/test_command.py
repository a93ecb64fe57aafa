"""A command let go by the gate behaves as it would by itself: exit, signals, terminal. Fenced and not."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

both = pytest.mark.parametrize("unfenced", [False, True], ids=["fenced", "unfenced"])
DRIVER = Path(__file__).parent / "driver.py"


@both
@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -INT $$", 130)],
)
def test_the_exit_code_is_the_commands_own_and_128_more_than_the_signal_that_ended_it(own, unfenced, script, code):
    assert own.run(["/bin/sh", "-c", script], unfenced=unfenced)["code"] == code


@both
def test_a_command_that_does_not_exist_is_one_clear_sentence(own, unfenced):
    done = own.run(["no-such-program"], unfenced=unfenced)
    assert done["kind"] == "ConfigError"
    assert done["refused"] == "outgate: there is no command 'no-such-program', check its spelling and PATH"


@both
def test_a_file_that_can_t_be_run_is_one_clear_sentence(own, unfenced):
    file = own.write(own.cwd / "notes.txt", "hello")
    done = own.run([file], unfenced=unfenced)
    assert done["refused"] == f"outgate: the command '{file}' can't be started: permission denied"


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_to_the_gate_is_the_commands(own, unfenced, number):
    script = f"""
import signal, sys
signal.signal({int(number)}, lambda number, frame: sys.exit(40 + number))
print("ready", file=sys.stderr, flush=True)
signal.pause()
"""
    driver = own.start([sys.executable, "-c", script], unfenced=unfenced)
    assert driver.stderr.readline() == "ready\n"
    driver.send_signal(number)
    out, err = driver.communicate(timeout=60)
    assert json.loads(out)["code"] == 40 + number, err


@both
def test_a_signal_that_the_command_ignores_ends_neither_it_nor_the_gate(own, unfenced):
    script = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5))
print("ready", file=sys.stderr, flush=True)
signal.pause()
"""
    driver = own.start([sys.executable, "-c", script], unfenced=unfenced)
    assert driver.stderr.readline() == "ready\n"
    driver.send_signal(signal.SIGTERM)
    driver.send_signal(signal.SIGUSR1)
    assert json.loads(driver.communicate(timeout=60)[0])["code"] == 5


@both
def test_signals_stand_for_the_command_as_they_stood_for_the_gate(own, unfenced):
    """Python ignores SIGPIPE for itself, and the gate holds others back: none of it is inherited."""
    asked = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    alone = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert own.run(asked, unfenced=unfenced)["out"] == alone


@both
def test_the_commands_standard_input_is_the_gates(own, unfenced):
    driver = own.start(["cat"], unfenced=unfenced)
    out, _ = driver.communicate("typed\n", timeout=60)
    assert json.loads(out)["out"] == "typed\n"


def test_without_a_fence_files_are_in_a_folder_that_is_gone_afterwards(own):
    own.environ = {"TMPDIR": str(own.root)}
    folder = own.run(["sh", "-c", "echo $TMPDIR/outgate-*; cat $TMPDIR/outgate-*/given"], unfenced=True)
    path, content = folder["out"].splitlines()
    assert content == "from the gate"
    assert not Path(path).exists()


class Terminal:
    """A terminal, and what is in front of it: an interactive shell, as an operator has it."""

    def __init__(self, argv=("bash", "--norc", "--noprofile", "-i")) -> None:
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="$ ", HISTFILE="/dev/null", TERM="dumb")
            os.execvp(argv[0], argv)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def until(self, text: str, seconds: float = 60) -> str:
        """Read on until this was said; gives what came before it."""
        limit = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.end], [], [], max(0, limit - time.monotonic()))
            assert ready, f"never said {text!r}: {self.seen!r}"
            self.seen += os.read(self.end, 4096).decode(errors="replace").replace("\r", "")
        before, _, self.seen = self.seen.partition(text)
        return before

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.end)


@pytest.fixture
def terminal():
    made = Terminal()
    made.until("$ ")
    yield made
    made.close()


def line(own, script: str, *, unfenced: bool) -> str:
    asked = own.asked([sys.executable, "-u", "-c", script], unfenced=unfenced, terminal=True)
    file = own.write(own.root / "asked.json", json.dumps(asked))
    return f"{sys.executable} {DRIVER} {file}\n"


READY = "import os, signal, sys, termios; print('re' + 'ady', os.isatty(0), os.tcgetpgrp(0) == os.getpgrp())\n"


@both
def test_the_terminal_is_the_commands_while_it_runs_and_the_shells_again_after(own, terminal, unfenced):
    terminal.type(line(own, READY + "print('said', input())", unfenced=unfenced))
    terminal.until("ready True True")
    terminal.type("hello\n")
    terminal.until("said hello")
    terminal.until('"code": 0')
    terminal.type("echo still $((40 + 2))\n")
    terminal.until("still 42")


@both
def test_an_interrupt_that_is_typed_comes_once_and_the_gate_lives_on(own, terminal, unfenced):
    script = (
        "import signal\nn = []\nsignal.signal(signal.SIGINT, lambda *_: n.append(1))\n"
        + READY
        + "while not n: signal.sigtimedwait([], 0.01)\nprint('got', len(n))\ninput()"
    )
    terminal.type(line(own, script, unfenced=unfenced))
    terminal.until("ready")
    terminal.type("\x03")
    terminal.until("got 1")
    terminal.type("\n")
    terminal.until('"code": 0')


@both
def test_a_stop_that_is_typed_stops_the_whole_job_and_fg_goes_on(own, terminal, unfenced):
    terminal.type(line(own, READY + "print('said', input())", unfenced=unfenced))
    terminal.until("ready")
    terminal.type("\x1a")
    terminal.until("Stopped")
    terminal.type("jobs -s | wc -l; echo count\n")
    terminal.until("1\ncount")
    terminal.type("fg\n")
    terminal.until(str(DRIVER))
    terminal.type("again\n")
    terminal.until("said again")
    terminal.until('"code": 0')


@both
def test_a_command_that_stops_itself_gives_the_terminal_back(own, terminal, unfenced):
    """As programs do that read Ctrl-Z as a character."""
    terminal.type(
        line(
            own, READY + "os.kill(os.getpid(), signal.SIGSTOP); print('back', os.tcgetpgrp(0) == os.getpgrp())", unfenced=unfenced
        )
    )
    terminal.until("Stopped")
    terminal.type("fg\n")
    terminal.until("back True")
    terminal.until('"code": 0')


@both
def test_where_no_shell_could_wake_it_a_command_that_stops_itself_goes_on(own, unfenced):
    """An orphaned process group: the kernel ignores SIGTSTP there, for a command alone as for one beside a gate."""
    script = READY + "os.kill(os.getpid(), signal.SIGTSTP); print('went on')"
    alone = Terminal([sys.executable, str(DRIVER), line(own, script, unfenced=unfenced).split()[-1]])
    try:
        alone.until("went on")
        alone.until('"code": 0')
    finally:
        alone.close()


@both
def test_the_size_of_the_terminal_is_told_when_it_changes(own, terminal, unfenced):
    import fcntl
    import struct
    import termios

    script = (
        "import signal\nsignal.signal(signal.SIGWINCH, lambda *_: print('size', *os.get_terminal_size()))\n"
        + READY
        + "signal.pause()"
    )
    terminal.type(line(own, script, unfenced=unfenced))
    terminal.until("ready")
    fcntl.ioctl(terminal.end, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    terminal.until("size 99 33")


def test_nothing_can_be_typed_into_the_operators_terminal(own, terminal):
    script = READY + (
        "import fcntl, errno\n"
        "for request in (termios.TIOCSTI, 0x541C, termios.TIOCSTI | 1 << 32):\n"
        "  try: fcntl.ioctl(0, request & 0xffffffff, b'x'); print('typed')\n"
        "  except OSError as e: print('refused', errno.errorcode[e.errno])\n"
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        "print('high half', libc.syscall(NUMBER, 0, ctypes.c_ulong(1 << 32 | 0x5412), b'x'), ctypes.get_errno() == errno.EPERM)\n"
    )
    from outgate.fence.kernel import machine

    terminal.type(line(own, script.replace("NUMBER", str(machine().numbers["ioctl"])), unfenced=False))
    said = terminal.until('"code": 0')
    assert "typed" not in said
    assert said.count("refused EPERM") == 3
    assert "high half -1 True" in said


def test_the_terminal_has_a_name_inside(own, terminal):
    terminal.type(line(own, READY + "print('named', os.ttyname(0))", unfenced=False))
    terminal.until("named /dev/console")


def test_other_terminals_of_the_operator_are_not_there(own, terminal):
    terminal.type(line(own, READY + "print('there', os.listdir('/dev/pts'))", unfenced=False))
    terminal.until("there ['ptmx']")
