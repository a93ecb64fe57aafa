from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from outgate.intake.bodies import Undecodable, decode, form, strict_json
from outgate.intake.destination import canonical_authority, canonical_host, is_address
from outgate.intake.reading import lines_to_send, read, read_connect
from outgate.intake.request import NoBody, RawRequest, Request, Tunnel, Unreadable

HOSTS = st.sampled_from(
    [b"api.test", b"API.test.", b"api.test:443", b"api.test:8443", b"[::1]", b"10.0.0.1", b"evil.test"]
) | st.binary(max_size=20)
NAMES = st.sampled_from(
    [
        *(b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Cookie", b"TE", b"X-A", b"Expect"),
        *(b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Proxy-Authorization", b"X-HTTP-Method-Override", b"Authorization"),
    ]
) | st.binary(max_size=12)
VALUES = st.sampled_from(
    [*(b"api.test", b"5", b"chunked", b"close, upgrade", b"websocket", b"a=1", b"trailers", b"13", b"GET"), b"A" * 22 + b"=="]
) | st.binary(max_size=12)
TARGETS = st.sampled_from([b"/", b"/a/b?c=d", b"*", b"/%2e%2e/", b"//x", b"/a%2fb?"]) | st.binary(max_size=30)
TUNNELS = st.none() | st.builds(
    Tunnel,
    host=HOSTS,
    port=st.sampled_from([443, 80, 8443]) | st.integers(),
    sni=st.none() | HOSTS,
    tls=st.booleans(),
)
RAWS = st.builds(
    RawRequest,
    method=st.sampled_from([b"GET", b"POST", b"OPTIONS", b"get"]) | st.binary(max_size=8),
    scheme=st.sampled_from([b"", b"http", b"https"]) | st.binary(max_size=4),
    authority=st.just(b"") | HOSTS,
    target=TARGETS,
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"]) | st.binary(max_size=8),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple) | st.just(((b"Host", b"api.test"),)),
    tunnel=TUNNELS,
)
PLAIN_TUNNELS = st.none() | st.just(Tunnel(host=b"api.test", port=443, sni=b"api.test"))
LIKELY = st.builds(
    RawRequest,
    method=st.sampled_from([b"GET", b"POST"]),
    scheme=st.just(b""),
    authority=st.just(b""),
    target=st.text(st.sampled_from("abc/%2eE.;?&=f"), max_size=16).map(lambda text: b"/" + text.encode()),
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
    headers=st.lists(st.tuples(NAMES.filter(lambda name: name.lower() != b"host"), VALUES), max_size=4).map(
        lambda lines: ((b"Host", b"api.test"), *lines)
    ),
    tunnel=PLAIN_TUNNELS,
)


def again(request: Request) -> RawRequest:
    """What an upstream that is exactly like us would be handed."""
    tunnel = Tunnel(host=request.host.encode(), port=request.port, sni=None) if request.scheme == "https" else None
    return RawRequest(
        method=request.method.encode(),
        scheme=b"",
        authority=request.authority.encode() if request.version == "HTTP/2.0" else b"",
        target=request.target.encode(),
        version=request.version.encode(),
        headers=lines_to_send(request),
        tunnel=tunnel,
    )


@given(RAWS | LIKELY)
def test_every_head_is_read_or_refused(raw):
    assert isinstance(read(raw), Request | Unreadable)


@given(RAWS | LIKELY)
def test_what_is_accepted_reads_again_as_itself(raw):
    request = read(raw)
    if isinstance(request, Request) and (request.scheme == "https" or raw.tunnel is None):
        reread = read(again(request))
        assert isinstance(reread, Request)
        assert replace(reread, body=NoBody()) == replace(request, body=NoBody())


@given(RAWS | LIKELY)
def test_what_is_accepted_has_no_byte_that_could_end_a_line(raw):
    request = read(raw)
    if isinstance(request, Request):
        sent = b"".join(
            (request.method.encode(), request.target.encode(), *(part for line in lines_to_send(request) for part in line))
        )
        assert not {0, 10, 13} & set(sent)


@given(RAWS | LIKELY)
def test_nothing_of_this_connection_goes_on(raw):
    request = read(raw)
    if isinstance(request, Request):
        names = {name for name, _ in request.headers}
        assert not names & {"host", "connection", "transfer-encoding", "upgrade", "keep-alive", "expect", "proxy-authorization"}
        assert not any(name.startswith(("proxy-", "outgate-")) for name in names)


@given(RAWS)
def test_a_tunnel_binds_the_host(raw):
    request = read(raw)
    if isinstance(request, Request) and raw.tunnel is not None:
        opened = raw.tunnel.host.decode("latin-1")
        opened = f"[{opened}]" if ":" in opened and not opened.startswith("[") else opened
        assert (request.host, request.port) == (canonical_host(opened), raw.tunnel.port)


@given(st.text(max_size=40) | st.text(st.sampled_from("aX-.0127[]:x"), max_size=20))
def test_a_canonical_host_is_its_own(text):
    try:
        host = canonical_host(text)
    except ValueError:
        return
    assert canonical_host(f"[{host}]" if ":" in host else host) == host
    assert host == host.lower()
    assert host.isascii()


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_no_name(number):
    for text in (str(number), hex(number), f"0{number:o}"):
        try:
            host = canonical_host(text)
        except ValueError:
            continue
        raise AssertionError(host)


@given(st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,4}", fullmatch=True))
def test_an_address_has_one_spelling(text):
    try:
        host = canonical_host(text)
    except ValueError:
        return
    assert host == text
    assert is_address(host)
    assert [str(int(part)) for part in host.split(".")] == host.split(".")


@given(st.binary(max_size=40))
def test_connect_is_read_or_refused(target):
    reading = read_connect(target)
    if not isinstance(reading, Unreadable):
        host, port = reading
        assert canonical_authority(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", 1) == (host, port)


@given(st.binary(max_size=300), st.sampled_from([None, "gzip", "deflate", "br", "zstd", "identity", "hex"]), st.integers(0, 200))
def test_a_body_is_never_more_than_its_limit(content, coding, limit):
    decoded = decode(content, coding, limit=limit)
    assert isinstance(decoded, Undecodable) or len(decoded) <= limit


@given(st.binary(max_size=100) | st.text(st.sampled_from('{}[]",:\\u0d8a1e9.-'), max_size=30).map(str.encode))
def test_json_is_read_or_undecodable(content):
    strict_json(content)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_json_that_any_writer_wrote_is_read_as_it_was(value):
    import json

    assert strict_json(json.dumps(value).encode()) == value


@given(st.text(max_size=60))
def test_a_form_is_read_or_undecodable(text):
    form(text)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"]))
        ),
        max_size=5,
    )
)
def test_a_form_that_any_writer_wrote_is_read_as_it_was(pairs):
    from urllib.parse import urlencode

    assert form(urlencode(pairs)) == tuple(pairs)
