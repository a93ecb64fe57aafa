from pathlib import Path

import pytest

from outgate.document import parse
from outgate.intake.reading import HEAD_LIMIT, HEADER_LIMIT, TARGET_LIMIT, lines_to_send, read, read_connect
from outgate.intake.request import NoBody, RawRequest, Request, Tunnel, Unreadable, UnreadBody

CASES = Path(__file__).parents[2] / "cases"


def cases(name):
    text = (CASES / name).read_text(encoding="utf-8")
    document = parse(text, name).value
    return [pytest.param(document["base"] | case, id=case["says"]) for case in document["cases"]]


def octets(text):
    return str(text).encode("latin-1")


def raw(case):
    tunnel = case["tunnel"]
    if tunnel != "none":
        sni = octets(tunnel["sni"]) if "sni" in tunnel else None
        tunnel = Tunnel(host=octets(tunnel["host"]), port=tunnel["port"], sni=sni, tls=tunnel["tls"])
    headers = [("Host", host) for host in case["host"]] + case["headers"]
    return RawRequest(
        method=octets(case["method"]),
        scheme=octets(case.get("scheme", "")),
        authority=octets(case.get("authority", "")),
        target=octets(case["target"]),
        version=octets(case["version"]),
        headers=tuple((octets(name), octets(value)) for name, value in headers),
        tunnel=None if tunnel == "none" else tunnel,
    )


def plain(**changes):
    base = {"method": "GET", "target": "/x", "version": "HTTP/1.1", "host": ["api.test"], "headers": [], "tunnel": "none"}
    return raw(base | changes)


@pytest.mark.parametrize("case", cases("reading-refused.yaml"))
def test_a_head_without_one_reading_is_refused(case):
    reading = read(raw(case))
    assert isinstance(reading, Unreadable)
    assert reading.status == case["status"]


@pytest.mark.parametrize("case", cases("reading-refused.yaml"))
def test_a_refusal_is_a_sentence_that_says_nothing_internal(case):
    reading = read(raw(case))
    assert isinstance(reading, Unreadable)
    assert reading.why.isascii()
    assert reading.why[0].isupper()
    assert reading.why.endswith(".")
    assert reading.host.isprintable()


@pytest.mark.parametrize("case", cases("reading-accepted.yaml"))
def test_a_head_with_one_reading_is_read(case):
    reading = read(raw(case))
    assert isinstance(reading, Request)
    wanted = dict(case["is"])
    if "headers" in wanted:
        wanted["headers"] = tuple(map(tuple, wanted["headers"]))
    assert {name: getattr(reading, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([], NoBody()),
        ([("Content-Length", "0")], NoBody()),
        ([("Content-Length", "12")], UnreadBody(12)),
        ([("Transfer-Encoding", "chunked")], UnreadBody()),
    ],
)
def test_a_head_says_whether_a_body_follows(headers, body):
    assert read(plain(method="POST", headers=headers)).body == body


def test_too_many_headers_are_too_large():
    assert isinstance(read(plain(headers=[("x", "1")] * (HEADER_LIMIT - 1))), Request)
    assert read(plain(headers=[("x", "1")] * HEADER_LIMIT)).status == 431


def test_a_header_too_long_is_too_large():
    assert read(plain(headers=[("x", "a" * HEAD_LIMIT)])).status == 431
    assert read(plain(headers=[("x" * HEAD_LIMIT, "a")])).status == 431


def test_a_target_too_long_is_too_large():
    assert isinstance(read(plain(target="/" + "a" * (TARGET_LIMIT - 1))), Request)
    assert read(plain(target="/" + "a" * TARGET_LIMIT)).status == 431


def test_what_was_claimed_is_kept_for_the_record_made_printable():
    assert read(plain(host=["evil.test\x1b[31m"])).host == "evil.test?[31m"
    assert read(plain(host=["a" * 1000])).host == "a" * 253


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (b"api.test:443", ("api.test", 443)),
        (b"API.test.:8443", ("api.test", 8443)),
        (b"[::1]:443", ("::1", 443)),
        (b"10.0.0.1:443", ("10.0.0.1", 443)),
    ],
)
def test_connect_names_a_host_and_a_port(target, wanted):
    assert read_connect(target) == wanted


@pytest.mark.parametrize(
    "target",
    [
        *(b"api.test", b"api.test:", b"api.test:0", b"api.test:65536", b":443", b"", b"u@api.test:443", b"api.test:443:443"),
        *(b"api.test:+443", b"http://api.test:443", b"api.test:443/", b"a\x00b:443", b"::1:443", b"[::1%25lo]:443", b"127.1:443"),
    ],
)
def test_connect_to_anything_else_is_refused(target):
    reading = read_connect(target)
    assert isinstance(reading, Unreadable)
    assert reading.status == 400


def test_what_is_sent_names_the_host_first_and_once():
    request = read(plain(host=["API.test:8080"], headers=[("Accept", "*/*"), ("Proxy-Authorization", "x")]))
    assert lines_to_send(request) == ((b"host", b"api.test:8080"), (b"accept", b"*/*"))


def test_a_handshake_is_sent_as_one():
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "A" * 22 + "=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    sent = lines_to_send(read(plain(headers=headers)))
    assert (b"connection", b"Upgrade") in sent
    assert (b"upgrade", b"websocket") in sent


def opaque(host=b"api.test", port=443, sni=b"api.test"):
    tunnel = Tunnel(host=host, port=port, sni=sni)
    return RawRequest(
        method=b"CONNECT", scheme=b"https", authority=b"", target=b"/", version=b"", headers=(), tunnel=tunnel, opaque=True
    )


def test_a_tunnel_that_nobody_reads_is_to_the_one_host_that_it_names():
    found = read(opaque(sni=b"API.test", port=8443))
    assert isinstance(found, Request)
    assert (found.method, found.host, found.port, found.opaque) == ("CONNECT", "api.test", 8443, True)


@pytest.mark.parametrize("sni", [None, b"", b"evil.test", b"api.test.evil.test", b"api.test\0", b"127.0.0.1"])
def test_a_tunnel_whose_tls_names_another_host_or_none_is_refused(sni):
    found = read(opaque(sni=sni))
    assert isinstance(found, Unreadable)
    assert found.status in {400, 421}
