"""While the agent runs the terminal is its own: input, output, signals, exit code."""

from __future__ import annotations

import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from clients.terminal import Terminal
from clients.under_gate import PYTHON

if TYPE_CHECKING:
    from clients.under_gate import Gate


def at_terminal(gate: Gate, *agent: object) -> Terminal:
    return Terminal(gate.command(agent), gate.env({"TERM": "xterm", "PS1": "ready> "}), gate.work)


def test_the_exit_code_is_the_agents_own(gate: Gate):
    assert gate.run("sh", "-c", "exit 7").code == 7


def test_an_agent_killed_by_a_signal_ends_as_a_shell_would_say_it(gate: Gate):
    assert gate.run("sh", "-c", "kill -KILL $$").code == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist_is_one_clear_sentence(gate: Gate):
    ran = gate.run("no-such-program-here")
    assert (ran.code, ran.stdout) == (2, "")
    assert "no-such-program-here" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_input_and_output_are_the_agents_own(gate: Gate):
    ran = gate.run("sh", "-c", "cat; echo out; echo err >&2; printf 'no newline'", stdin="a\nb\x00c\n")
    assert ran.stdout == "a\nb\x00c\nout\nno newline"
    assert ran.own == "err\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_us_reaches_the_agent(gate: Gate, number: signal.Signals):
    agent = f"trap 'echo caught; exit 9' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        gate.command(["sh", "-c", agent]),
        env=gate.env(),
        cwd=gate.work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        started.send_signal(number)
        out, err = started.communicate(timeout=60)
    assert (out, started.returncode) == ("caught\n", 9), err


ASKS = """
import os, sys
assert all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
assert os.tcgetpgrp(0) == os.getpgrp()
print("size", *os.get_terminal_size())
print("hello", input("name? "))
"""


def test_at_a_terminal_nothing_of_ours_stands_between_the_two_blocks(gate: Gate):
    with at_terminal(gate, PYTHON, "-c", ASKS) as terminal:
        assert terminal.reads("size 80 24").count("\n") == 1
        terminal.reads("name? ")
        terminal.type("Ann\n")
        assert terminal.reads("hello Ann\r\n") == "Ann\r\nhello Ann\r\n"
        code, rest = terminal.ends()
    assert code == 0
    assert rest.startswith("outgate  ")


INTERRUPTED = """
import time
try:
    print("ready", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise SystemExit(3)
"""


def test_ctrl_c_reaches_the_agent_and_its_end_is_reported(gate: Gate):
    with at_terminal(gate, PYTHON, "-c", INTERRUPTED) as terminal:
        terminal.reads("ready")
        terminal.type("\x03")
        terminal.reads("interrupted")
        code, rest = terminal.ends()
    assert code == 3
    assert "ended (3)" in rest


RESIZED = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
print("ready", flush=True)
signal.sigwait([signal.SIGWINCH])
print("now", *os.get_terminal_size(), flush=True)
input()
"""


def test_the_agent_hears_of_a_new_window_size(gate: Gate):
    with at_terminal(gate, PYTHON, "-c", RESIZED) as terminal:
        terminal.reads("ready")
        terminal.resize(33, 101)
        terminal.reads("now 101 33")
        terminal.type("\n")
        assert terminal.ends()[0] == 0


SHELL = ("/bin/bash", "--norc", "--noprofile", "--noediting", "-i")


def test_a_shell_under_the_gate_has_job_control(gate: Gate):
    with at_terminal(gate, *SHELL) as terminal:
        assert "job control" not in terminal.reads("ready> ")
        terminal.type("sh -c \"echo u''p; exec sleep 600\"\n")
        terminal.reads("up\r\n")
        terminal.type("\x1a")
        terminal.reads("Stopped")
        terminal.reads("ready> ")
        terminal.type("kill -KILL %1; disown %1; exit 5\n")
        assert terminal.ends()[0] == 5


def test_ctrl_z_gives_the_terminal_back_to_the_shell_outside(gate: Gate):
    """The person's own shell runs us as a job: it can be stopped, and brought back."""
    with Terminal(SHELL, gate.env({"TERM": "xterm", "PS1": "outside> "}), gate.work) as terminal:
        terminal.reads("outside> ")
        terminal.type(shlex.join(gate.command([PYTHON, "-c", "print(input('more' + '? ').upper())"])) + "\n")
        terminal.reads("more? ")
        terminal.type("\x1a")
        terminal.reads("Stopped")
        terminal.reads("outside> ")
        terminal.type("fg\n")
        terminal.type("yes, more\n")
        terminal.reads("YES, MORE")
        terminal.type("exit\n")
        assert terminal.ends()[0] == 0
