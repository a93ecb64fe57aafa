"""What the system call filter says, on every architecture that it knows."""

import errno
import struct

import pytest
from unit.fence.bpf_machine import run

from outgate.fence.kernel import MACHINES
from outgate.fence.seccomp import NOT_PERMITTED, NOT_SERVED, program

ALLOW, KILL = 0x7FFF0000, 0x80000000
every = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def refused(error):
    return 0x00050000 | error


def said(machine, number, *arguments, audit=None):
    data = struct.pack("<IIQ6Q", number, machine.audit if audit is None else audit, 0, *(*arguments, *[0] * 6)[:6])
    return run(program(machine), data, order="<")


@every
@pytest.mark.parametrize("family", [1, 2, 10, 16], ids=["unix", "inet", "inet6", "netlink"])
def test_sockets_that_programs_need_are_allowed(machine, family):
    assert said(machine, machine.numbers["socket"], family, 1) == ALLOW


@every
@pytest.mark.parametrize("family", [0, 3, 17, 29, 31, 38, 40, 42, 44], ids=lambda n: f"family-{n}")
def test_every_other_socket_is_refused_the_hypervisors_too(machine, family):
    assert said(machine, machine.numbers["socket"], family, 1) == refused(errno.EAFNOSUPPORT)


@every
@pytest.mark.parametrize("high", [0, 1, 0xFFFFFFFF])
def test_a_family_is_read_as_the_kernel_reads_it_by_its_low_half(machine, high):
    assert said(machine, machine.numbers["socket"], high << 32 | 40, 1) == refused(errno.EAFNOSUPPORT)


@every
@pytest.mark.parametrize("high", [0, 1, 0xFFFFFFFF])
@pytest.mark.parametrize("request_", [0x5412, 0x541C, 0x4B47, 0x4B49, 0x4B4B, 0x4BFB])
def test_nothing_is_typed_into_a_terminal(machine, request_, high):
    assert said(machine, machine.numbers["ioctl"], 0, high << 32 | request_) == refused(errno.EPERM)


@every
def test_other_terminal_requests_are_allowed(machine):
    assert {said(machine, machine.numbers["ioctl"], 0, request) for request in (0x5401, 0x5402, 0x5413, 0x5414)} == {ALLOW}


@every
@pytest.mark.parametrize("name", NOT_PERMITTED)
def test_what_leads_out_is_not_permitted(machine, name):
    assert said(machine, machine.numbers[name]) == refused(errno.EPERM)


@every
@pytest.mark.parametrize("name", NOT_SERVED)
def test_what_makes_sockets_behind_a_filter_seems_not_to_exist(machine, name):
    assert said(machine, machine.numbers[name]) == refused(errno.ENOSYS)


@every
def test_another_architectures_call_ends_the_process(machine):
    others = {other.audit for other in MACHINES.values()} - {machine.audit} | {0x40000003, 0}
    assert {said(machine, 1, audit=audit) for audit in others} == {KILL}


@every
def test_the_x32_table_is_not_served(machine):
    assert said(machine, 0x40000000 | machine.numbers["socket"], 2, 1) == refused(errno.ENOSYS)


@every
def test_everything_else_is_allowed(machine):
    named = set(machine.numbers.values())
    assert {said(machine, number) for number in range(460) if number not in named} == {ALLOW}
