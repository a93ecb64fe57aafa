"""A classic BPF machine, as the kernel's is (net/core/filter.c): to run a filter on data that no test may really send."""

import struct

PACKET = {0xFFFFF000: "protocol", 0xFFFFF004: "type"}


def run(program: bytes, data: bytes, *, order: str = "!", **ancillary: int) -> int:
    """What the program returns for this data. `order`: network order for packets, the machine's for seccomp's data."""
    accumulator = index = at = 0
    while True:
        code, yes, no, k = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        match code:
            case 0x20 if k in PACKET:
                accumulator = ancillary[PACKET[k]]
            case 0x20:
                (accumulator,) = struct.unpack_from(f"{order}I", data, k)
            case 0x28:
                (accumulator,) = struct.unpack_from(f"{order}H", data, k)
            case 0x30:
                accumulator = data[k]
            case 0x48:
                (accumulator,) = struct.unpack_from(f"{order}H", data, index + k)
            case 0xB1:
                index = (data[k] & 0xF) * 4
            case 0x54:
                accumulator &= k
            case 0x15:
                at += yes if accumulator == k else no
            case 0x35:
                at += yes if accumulator >= k else no
            case 0x06:
                return k
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")
