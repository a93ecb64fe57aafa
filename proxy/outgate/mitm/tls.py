"""TLS, both sides: a leaf for exactly one name towards the agent; the decided name, and no other, towards an upstream."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.tls import TLSLayer, parse_client_hello
from mitmproxy.proxy.tunnel import TunnelState
from OpenSSL import SSL
from OpenSSL.SSL import _ffi, _lib  # type: ignore[attr-defined]  # pyOpenSSL has no way of its own to say which name must be proven

from outgate.mitm.enforce import BreachError, Failure
from outgate.mitm.leaves import Leaves, address_of
from outgate.mitm.sessions import Resumable, Sessions, Trusted
from outgate.mitm.wire import Upstream, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.enforce import Way
    from outgate.mitm.leaves import Authority
    from outgate.mitm.link import Link

SUITES: Final = b":".join(
    f"ECDHE-{key}-{cipher}".encode()
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""For TLS 1.2: forward secret, authenticated. TLS 1.3 has no others."""
_RECORDS: Final = 64 * 1024
_RECORD: Final = 16 * 1024
"""The most that one record of TLS holds (RFC 8446, section 5.1)."""
SAFE_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
_SOMEWHERE: Final = _ffi.new("char **")
_HOST_FLAGS: Final = _lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | _lib.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT


class Trust(Protocol):
    """What vouches for an upstream, and what we show it. Files in PEM; a client certificate comes with its key."""

    @property
    def ca(self) -> Path: ...
    @property
    def client_cert(self) -> Path | None: ...


class Handshakes:
    """Makes the TLS ends that the layers drive. One context for all agents; one for each trust towards upstreams."""

    def __init__(self, authority: Authority, trust: Callable[[str], Trust]) -> None:
        self._leaves = Leaves(authority)
        self._trust = trust
        self._agents = self._agent_context(authority)
        self._upstreams = lru_cache(256)(_upstream_context)
        self._sessions = Sessions()
        self._as_of: dict[Path, tuple[int, int, int]] = {}

    def with_agent(self, greeting: Greeting) -> SSL.Connection:
        """Begin to answer an agent's ClientHello. What it resumes, it began itself, in a tunnel to the same place."""
        _resume_within(self._agents, greeting.link)
        tls = SSL.Connection(self._agents)
        tls.set_app_data(greeting)
        tls.set_accept_state()
        return tls

    def resumable(self, agent: str, name: str, way: Way, offers: tuple[bytes, ...]) -> Resumable:
        """Say whose session one with an upstream is, by all that it depends on."""
        return Resumable(agent, name, way, self._as_it_is(self._trust(name)), offers)

    def with_upstream(self, whose: Resumable) -> SSL.Connection:
        """Begin to greet an upstream: it must prove its name, or to have proven it before, to whom we trust for it."""
        name = whose.name
        tls = SSL.Connection(self._upstreams(whose.trusted))
        param = _lib.SSL_get0_param(tls._ssl)  # noqa: SLF001  # as above
        _lib.X509_VERIFY_PARAM_set_hostflags(param, _HOST_FLAGS)
        if address := address_of(name):
            set_ok = _lib.X509_VERIFY_PARAM_set1_ip(param, address.packed, len(address.packed))
        else:
            host = name.encode("ascii")
            tls.set_tlsext_host_name(host)
            set_ok = _lib.X509_VERIFY_PARAM_set1_host(param, host, len(host))
        if set_ok != 1:
            raise BreachError("the name to be proven could not be set")
        tls.set_alpn_protos(list(whose.offers))
        if (session := self._sessions.take(whose)) is not None:
            tls.set_session(session)
        tls.set_connect_state()
        return tls

    def keep(self, whose: Resumable, tls: SSL.Connection) -> None:
        """Keep what a connection came to, for the next one there: an upstream gives it with its first bytes, or never."""
        if (session := tls.get_session()) is not None:
            self._sessions.keep(whose, session)

    def leaf(self, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """Give what a listener of ours shows of itself, by one of its names."""
        return self._leaves.get(name), self._leaves.key

    def _as_it_is(self, trust: Trust) -> Trusted:
        """Have files that were written anew be others: what was verified with the old ones is verified again."""
        cert = trust.client_cert
        shown = (str(cert), self._seen(cert)) if cert else (None, None)
        return Trusted(str(trust.ca), self._seen(trust.ca), *shown)

    def _seen(self, path: Path) -> tuple[int, int, int]:
        """When a file was written. One that is gone is what it was, as far as it was read."""
        try:
            found = path.stat()
        except OSError:
            return self._as_of.get(path, (0, 0, 0))
        seen = self._as_of[path] = (found.st_mtime_ns, found.st_size, found.st_ino)
        return seen

    def _agent_context(self, authority: Authority) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SAFE_OPTIONS)
        context.set_cipher_list(SUITES)
        context.set_mode(_lib.SSL_MODE_RELEASE_BUFFERS)  # a connection that rests keeps none
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # a session is in its ticket, which only this context's key opens
        context.use_certificate(self._leaves.get("outgate.internal"))  # until the name is known
        context.use_privatekey(self._leaves.key)
        context.add_extra_chain_cert(authority.certificate)
        context.set_tlsext_servername_callback(self._named)
        context.set_alpn_select_callback(_offered)
        return context

    def _named(self, tls: SSL.Connection) -> None:
        """Choose the leaf. OpenSSL can't pass on what raises here: the layer does, before a byte goes out."""
        greeting: Greeting = tls.get_app_data()
        try:
            tls.use_certificate(self._leaves.get(greeting.hello(tls.get_servername())))
        except Exception as error:  # noqa: BLE001  # kept, and raised by the layer
            greeting.error = error


@dataclass(slots=True, eq=False)
class Greeting:
    """What a client said in its ClientHello, and what we make of it."""

    link: Link
    named: Callable[[Link, bytes | None], str]
    chosen: Callable[[Link, list[bytes]], bytes | None]
    heard: bool = False
    error: Exception | None = None

    def hello(self, sni: bytes | None) -> str:
        self.heard = True
        return self.named(self.link, sni)


class _Tls(TLSLayer):
    """A handshake without hooks: what must be decided in it is decided by whoever made its end.

    Once it is over, this layer waits for nothing: events and commands pass by the shortest way, and little pieces that are said
    to the peer in one turn are secured as one. Not more: whoever sends on from a file looks at what waits to be written.
    """

    _failed = False

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self.tunnel_state is TunnelState.OPEN and self._paused is None:
            return self._handle_event(event)
        return super().handle_event(event)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self.tunnel_state is TunnelState.OPEN and type(event) is events.DataReceived:  # most of what happens
            ours = event.connection == self.tunnel_connection
            return self.receive_data(event.data) if ours else self.event_to_child(event)
        if isinstance(event, events.CommandCompleted):
            return self.event_to_child(event)
        return super()._handle_event(event)

    def event_to_child(self, event: events.Event) -> CommandGenerator[None]:
        if self._failed:  # the layer above is told nothing of a connection that it never had
            return
        if self.tunnel_state is not TunnelState.OPEN:
            yield from super().event_to_child(event)
            return
        said = b""
        for command in self.child_layer.handle_event(event):
            if type(command) is commands.SendData:
                if command.connection != self.conn:
                    yield command
                    continue
                said = said + command.data if said else command.data
                if len(said) < _RECORD:
                    continue
            if said:
                yield from self.send_data(said)
                said = b""
            if type(command) is not commands.SendData:
                yield from self._handle_command(command)
        if said:
            yield from self.send_data(said)

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        if data:
            self.tls.bio_write(data)
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            self.check()
            yield from self.tls_interact()
            return False, None
        except SSL.Error as error:
            self.check()
            yield from self.tls_interact()  # the alert that says why
            return False, self.what_failed(error)
        self.check()
        self.conn.alpn = self.tls.get_alpn_proto_negotiated()
        self.conn.timestamp_tls_setup = time.time()
        self.established()
        yield from self.receive_data(b"")
        return True, None

    def check(self) -> None:
        """Raise what a callback of OpenSSL could not."""

    def established(self) -> None:
        """Learn from what was agreed."""

    def what_failed(self, error: SSL.Error) -> str:
        return _reason(error)

    def receive_data(self, data: bytes) -> CommandGenerator[None]:
        if data:
            self.tls.bio_write(data)
        plaintext, ended, broken = [], False, False
        try:
            plaintext.append(self.tls.recv(_RECORDS))
            while _waiting(self.tls._into_ssl) or self.tls.pending():  # noqa: SLF001  # pyOpenSSL tells by raising, at a price
                plaintext.append(self.tls.recv(_RECORDS))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            ended = True
        except SSL.Error:
            broken = True
        yield from self.tls_interact()  # reading may have made something to send
        if plaintext:
            data = plaintext[0] if len(plaintext) == 1 else b"".join(plaintext)
            yield from self.event_to_child(events.DataReceived(self.conn, data))
        if ended:
            self.conn.state &= ~ConnectionState.CAN_READ
            yield from self.event_to_child(events.ConnectionClosed(self.conn))
        elif broken:
            yield commands.CloseConnection(self.conn)

    def tls_interact(self) -> CommandGenerator[None]:
        if size := _waiting(self.tls._from_ssl):  # noqa: SLF001  # as above
            yield commands.SendData(self.conn, self.tls.bio_read(size))

    def send_close(self, command: commands.CloseConnection) -> CommandGenerator[None]:
        """Say that this is the end: without it, a client can't tell an answer from the beginning of one."""
        try:
            self.tls.shutdown()
        except SSL.Error:
            pass  # the handshake never finished: there is nothing to end
        else:
            yield from self.tls_interact()
        yield from super().send_close(command)


class AgentTls(_Tls):
    """The agent's side: whatever it asks for, it gets a leaf, and its requests are refused inside."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, context.client)
        wire = wire_of(context)
        self._greeting = Greeting(wire.link, wire.addon.tls_clienthello, wire.addon.alpn)
        self.tls = wire.addon.handshakes.with_agent(self._greeting)
        self._said = b""

    def start_handshake(self) -> CommandGenerator[None]:
        yield from ()

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        if not self._greeting.heard:
            self._said += data
        return (yield from super().receive_handshake_data(data))

    def established(self) -> None:
        """Before TLS 1.3, OpenSSL gives a session's name for what was asked for now: of one that is resumed, read it anew."""
        if _lib.SSL_session_reused(self.tls._ssl) and self.tls.get_protocol_version() < SSL.TLS1_3_VERSION:  # noqa: SLF001  # as above
            self._greeting.hello(_named_in(self._said))
        self._said = b""

    def check(self) -> None:
        if self._greeting.error is not None:
            raise self._greeting.error

    def on_handshake_error(self, err: str) -> CommandGenerator[None]:
        wire = wire_of(self.context)
        if self._greeting.heard:
            wire.addon.tls_failed_client(wire.link, err)
        elif err != "connection closed":
            wire.addon.tunnel_refused(wire.link, b"\x16")
        yield commands.CloseConnection(self.tunnel_connection)
        self._failed = True


class UpstreamTls(_Tls):
    """An upstream's side."""

    def __init__(self, context: Context, upstream: Upstream, name: str) -> None:
        super().__init__(context, upstream)
        self._upstream = upstream
        self._name = name
        self._whose: Resumable | None = None

    def start_handshake(self) -> CommandGenerator[None]:
        wire = wire_of(self.context)
        if self._upstream.tls_end is not None:  # it was proven to the same agent, on this very connection
            self.tls = self._upstream.tls_end
            self.conn.alpn = self.tls.get_alpn_proto_negotiated()
            yield from self._handshake_finished(None)
            return
        whose = self._upstream.whose
        if whose is not None and whose.tls is not None:
            self._whose = whose.tls
        else:
            self._whose = wire.addon.tls_start_server(wire.link, self._upstream, self._name, self.context.client.alpn)
        self.tls = wire.addon.handshakes.with_upstream(self._whose)
        yield from self.receive_handshake_data(b"")

    def established(self) -> None:
        if _lib.SSL_get_verify_result(self.tls._ssl) != _lib.X509_V_OK:  # noqa: SLF001  # as above
            raise BreachError("a handshake ended with a certificate that does not verify")
        self._upstream.tls_end = self.tls
        wire_of(self.context).addon.tls_established_server(self._upstream)

    def receive_data(self, data: bytes) -> CommandGenerator[None]:
        return super().receive_data(data) if self._whose is None or not data else self._receive_first(data)

    def _receive_first(self, data: bytes) -> CommandGenerator[None]:
        """Once something was read, a session is there to be kept, if there will be one."""
        yield from super().receive_data(data)
        if self._whose is not None:
            wire_of(self.context).addon.handshakes.keep(self._whose, self.tls)
            self._whose = None

    def what_failed(self, error: SSL.Error) -> str:
        verdict = _lib.SSL_get_verify_result(self.tls._ssl)  # noqa: SLF001  # as above
        if verdict != _lib.X509_V_OK:
            said = _ffi.string(_lib.X509_verify_cert_error_string(verdict)).decode()
            return f"{Failure.UNTRUSTED}: {said}"
        reason = _reason(error)
        if "no application protocol" in reason:
            wire_of(self.context).addon.tls_refused_alpn(self._upstream)
        return f"{Failure.HANDSHAKE}: {reason}"

    def on_handshake_error(self, err: str) -> CommandGenerator[None]:
        self.conn.error = err
        yield commands.CloseConnection(self.tunnel_connection)


def _offered(tls: SSL.Connection, offers: list[bytes]) -> Any:
    greeting: Greeting = tls.get_app_data()
    try:
        chosen = greeting.chosen(greeting.link, offers)
    except Exception as error:  # noqa: BLE001  # kept, and raised by the layer
        greeting.error = error
        chosen = None
    return SSL.NO_OVERLAPPING_PROTOCOLS if chosen is None else chosen


def _resume_within(agents: SSL.Context, link: Link) -> None:
    """Have sessions be good for one agent and one tunnel alone: the next connection of the context takes this over."""
    if link.known is None:
        within = os.urandom(32)  # nobody's: nothing is resumed
    else:
        there = link.tunnel.host if link.tunnel is not None else b""
        within = sha256(b"%s\0%s" % (link.known.id.encode(), there)).digest()
    if _lib.SSL_CTX_set_session_id_context(agents._context, within, len(within)) != 1:  # noqa: SLF001  # as above
        raise BreachError("what a session is good for could not be set")


def _upstream_context(trusted: Trusted) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SAFE_OPTIONS)
    context.set_cipher_list(SUITES)
    context.set_verify(SSL.VERIFY_PEER)
    context.set_mode(_lib.SSL_MODE_RELEASE_BUFFERS)  # as above
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # ours says whose a session is
    context.load_verify_locations(trusted.ca)
    if trusted.client_cert:
        context.use_certificate_chain_file(trusted.client_cert)
        context.use_privatekey_file(trusted.client_cert)
    return context


def _waiting(bio: Any) -> int:
    """Say how many bytes are in one of a connection's two buffers."""
    size: int = _lib.BIO_get_mem_data(bio, _SOMEWHERE)
    return size


def _named_in(greeting: bytes) -> bytes | None:
    """Give the name that a ClientHello asks for (RFC 6066, section 3)."""
    hello = parse_client_hello(greeting)
    if hello is None:
        raise BreachError("a handshake without a ClientHello")
    return next((body[5:] for kind, body in hello.extensions if kind == 0), None)


def _reason(error: SSL.Error) -> str:
    """Give OpenSSL's last word, without the peer's own text."""
    said = error.args[0] if error.args else ""
    last = said[-1][-1] if isinstance(said, list) and said else str(error)
    return str(last) or type(error).__name__
