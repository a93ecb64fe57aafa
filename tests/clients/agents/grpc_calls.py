"""Make gRPC calls of every kind with grpcio, on one channel, as anybody would. argv: a prefix for streams, then what to do.

One JSON line for each: `{name: what came of it}`; an error is `{"code": …, "details": …}`.
"""

import hashlib
import json
import queue
import sys

import grpc

PREFIX, *WANTED = sys.argv[1:]
ROOT = "/acme.v1.Talk/"
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
MIB = 1 << 20
CHANNEL = grpc.secure_channel("grpc.test:443", grpc.ssl_channel_credentials(), OPTIONS)


def unary(method):
    return CHANNEL.unary_unary(ROOT + method)


def metadata(found):
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in found if key.startswith("x-")}


def say():
    sent = (("x-mark", "one"), ("x-mark-bin", b"\x00\xff"))
    answer, call = unary("Say").with_call(b"hello", metadata=sent, timeout=30)
    return [answer.decode(), metadata(call.initial_metadata()), metadata(call.trailing_metadata())]


def digest():
    sent = bytes(range(256)) * 4096 * 8
    return unary("Digest")(sent, timeout=60) == hashlib.sha256(sent).digest()


def count():
    """Read events, saying of each that it came before the next is sent."""
    stream, heard = f"{PREFIX}-count", []
    for event in CHANNEL.unary_stream(ROOT + "Count")(stream.encode(), timeout=60):
        heard.append(event.decode())
        unary("Ack")(stream.encode(), timeout=30)
    return heard


def large():
    pieces = list(CHANNEL.unary_stream(ROOT + "Large")(b"24", timeout=60))
    return [len(pieces), all(piece == bytes((number,)) * MIB for number, piece in enumerate(pieces))]


def add():
    return int(CHANNEL.stream_unary(ROOT + "Sum")((b"%d" % number for number in range(1000)), timeout=30))


def chat():
    """Say the next thing only when the last was answered."""
    to_say, heard = queue.SimpleQueue(), []
    to_say.put(b"0")
    for answer in CHANNEL.stream_stream(ROOT + "Chat")(iter(to_say.get, None), timeout=30):
        heard.append(answer.decode())
        to_say.put(b"%d" % len(heard) if len(heard) < 20 else None)
    return [len(heard), heard[-1]]


def chat_soon():
    """The same, where nobody has long to wait."""
    to_say = queue.SimpleQueue()
    to_say.put(b"0")
    call = CHANNEL.stream_stream(ROOT + "Chat")(iter(to_say.get, None), timeout=4)
    heard = next(call).decode()
    to_say.put(None)
    return [heard, *call]


def enough():
    """Be answered and left in the middle of talking."""
    to_say = queue.SimpleQueue()
    to_say.put(b"this")
    call = CHANNEL.stream_stream(ROOT + "Enough")(iter(to_say.get, None), timeout=30)
    heard = [answer.decode() for answer in call]
    to_say.put(None)
    return [heard, call.code().name]


def fail():
    return unary("Fail")(b"such thing", timeout=30)


def unknown():
    return unary("NoSuchMethod")(b"", timeout=30)


def late():
    """Run out of time: the service hears of it."""
    stream = f"{PREFIX}-late".encode()
    try:
        unary("Hang")(stream, timeout=0.5)
    except grpc.RpcError as error:
        return [error.code().name, unary("Freed")(stream, timeout=30).decode()]


def cancel():
    """Give up a stream that never ends: the service hears of it, while the channel goes on."""
    stream = f"{PREFIX}-cancel".encode()
    call = CHANNEL.unary_stream(ROOT + "Forever")(stream, timeout=60)
    first = next(call)
    call.cancel()
    return [len(first), unary("Freed")(stream, timeout=30).decode()]


def together():
    calls = [CHANNEL.unary_stream(ROOT + "Together")(b"", timeout=60) for _ in range(100)]
    return sum(list(call) == [b"one", b"two"] for call in calls)


def upload():
    """Talk without end to somebody who need not listen."""
    return CHANNEL.stream_unary(ROOT + "Sum")(iter(lambda: b"1" * 65536, None), timeout=60)


def failed(error):
    last = metadata(error.trailing_metadata() or ())
    return {"code": error.code().name, "details": error.details()} | ({"last": last} if last else {})


for name in WANTED:
    try:
        said = globals()[name]()
    except grpc.RpcError as error:
        said = failed(error)
    print(json.dumps({name: said}), flush=True)
CHANNEL.close()
