"""A listener's own TLS: what it shows of itself, whom it asks for a certificate, and the layer that all else lies in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from mitmproxy.proxy import commands, events
from OpenSSL import SSL
from OpenSSL.SSL import _ffi, _lib  # type: ignore[attr-defined]  # pyOpenSSL has no way of its own to ask why a chain did not verify

from outgate.digest import sha256
from outgate.errors import ConfigError, Problem
from outgate.intake.certificates import shown_of
from outgate.intake.destination import is_address
from outgate.mitm.tls import SAFE_OPTIONS, SUITES, _Tls
from outgate.mitm.tunnel import TunnelGate
from outgate.mitm.wire import Becomes, Replace, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator, Layer

    from outgate.intake.listening import Secured
    from outgate.mitm.tls import Handshakes

_H1: Final = b"http/1.1"
_TLS_RECORD: Final = re.compile(rb"\x16(?:\x03|\Z)")
_PARTIAL_CHAIN: Final = 0x80000
"""X509_V_FLAG_PARTIAL_CHAIN: what stands in `client_ca` is trusted, also where it is no root."""


class Front:
    """What one listener shows. Files are looked at when a client comes, and read again when they changed.

    A client's session is taken up again by the context that began it, and by no other: with another `client_ca` or another
    certificate of ours, every client has to prove itself anew. `told` hears of files that can't be used: what was there before
    holds on.
    """

    def __init__(self, secured: Secured, told: Callable[[BaseException, str], None]) -> None:
        self._secured = secured
        self._told = told
        self._files = tuple(filter(None, (secured.cert, secured.key, secured.client_ca)))
        self._seen = self._state()
        self._context = self._made()

    def greet(self, handshakes: Handshakes) -> SSL.Connection:
        """Begin to answer a client. Without a certificate of the operator's, a leaf of our CA is shown, by the name asked for."""
        if (state := self._state()) != self._seen:
            self._seen = state
            try:
                self._context = self._made()
            except ConfigError as error:
                self._told(error, "reading a listener's certificate again")
        tls = SSL.Connection(self._context)
        tls.set_app_data(handshakes)
        if not self._secured.cert:
            self._show(tls, self._named(None))
        tls.set_accept_state()
        return tls

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for file in self._files:
            try:
                said = Path(file).stat()
                found.append((said.st_mtime_ns, said.st_ino, said.st_size))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def _made(self) -> SSL.Context:
        """Raises ConfigError where a file is not what it should be."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SAFE_OPTIONS)
        context.set_cipher_list(SUITES)
        context.set_alpn_select_callback(_only_http1)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # what a session is taken up with again, its client keeps
        try:
            self._present(context)
            self._ask(context)
        except (SSL.Error, OSError, ValueError) as error:
            raise ConfigError(Problem(source="listen", message=f"{self._blamed()}: {_said(error)}")) from error
        return context

    def _present(self, context: SSL.Context) -> None:
        secured = self._secured
        if secured.cert:
            context.use_certificate_chain_file(secured.cert)
            context.use_privatekey_file(secured.key or secured.cert)
            context.check_privatekey()
        else:
            context.set_tlsext_servername_callback(self._asked_for)

    def _ask(self, context: SSL.Context) -> None:
        secured = self._secured
        if not secured.client_ca:
            context.set_session_id(b"outgate")
            return
        trusted = Path(secured.client_ca).read_bytes()
        x509.load_pem_x509_certificates(trusted)
        context.load_verify_locations(secured.client_ca)
        context.load_client_ca(secured.client_ca.encode())
        store = context.get_cert_store()
        assert store is not None
        store.set_flags(_PARTIAL_CHAIN)
        context.set_session_id(bytes.fromhex(sha256(trusted).removeprefix("sha256:")))
        context.set_verify(SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if secured.require_client_cert else 0))

    def _asked_for(self, tls: SSL.Connection) -> None:
        self._show(tls, self._named(tls.get_servername()))

    def _named(self, asked: bytes | None) -> str:
        """The name that is asked for, if it is ours. Who asks for none came by an address."""
        names = self._secured.names
        text = (asked or b"").decode("latin-1").lower()
        return text if text in names else next(filter(is_address, names), names[0]) if asked is None else names[0]

    def _show(self, tls: SSL.Connection, name: str) -> None:
        handshakes: Handshakes = tls.get_app_data()
        certificate, key = handshakes.leaf(name)
        tls.use_certificate(certificate)
        tls.use_privatekey(key)

    def _blamed(self) -> str:
        return " or ".join(self._files) or "its certificate"


class Envelope(_Tls):
    """Everything that a client of an https:// listener says lies in here, down to the TLS in its tunnels."""

    def __init__(self, context: Context, inside: Layer) -> None:
        super().__init__(context, context.client)
        wire = wire_of(context)
        front = wire.link.front
        assert front is not None
        self.child_layer = inside
        self.tls = front.greet(wire.addon.handshakes)
        self._next: list[tuple[Layer, bytes]] = []
        self._heard = self._begun = False

    def start_handshake(self) -> CommandGenerator[None]:
        yield from ()

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        self._heard = True
        if not self._begun:
            self._begun = _TLS_RECORD.match(data) is not None
            if not self._begun:
                return False, "not tls"  # OpenSSL waits for five bytes before it says so
        return (yield from super().receive_handshake_data(data))

    def established(self) -> None:
        """Whose certificate it is, if one was shown: also in a session that was taken up again, whose chain nobody looks at."""
        wire = wire_of(self.context)
        certificate = self.tls.get_peer_certificate(as_cryptography=True)
        if certificate is not None:
            wire.addon.certified(wire.link, shown_of(certificate))
        wire.link.entering = False

    def what_failed(self, error: SSL.Error) -> str:
        verdict = _lib.SSL_get_verify_result(self.tls._ssl)  # noqa: SLF001  # as above
        if verdict != _lib.X509_V_OK:
            return f"client certificate: {_ffi.string(_lib.X509_verify_cert_error_string(verdict)).decode()}"
        return super().what_failed(error)

    def on_handshake_error(self, err: str) -> CommandGenerator[None]:
        wire = wire_of(self.context)
        if self._heard:  # else it only looked whether somebody listens
            wire.addon.entry_refused(wire.link, err[:80])
        yield commands.CloseConnection(self.tunnel_connection)

    def event_to_child(self, event: events.Event) -> CommandGenerator[None]:
        yield from super().event_to_child(event)
        while self._next:
            self.child_layer, data = self._next.pop()
            yield from super().event_to_child(events.Start())
            if data:
                yield from super().event_to_child(events.DataReceived(self.conn, data))

    def _handle_command(self, command: commands.Command) -> CommandGenerator[None]:
        match command:
            case Becomes(rest=rest):
                self._next.append((TunnelGate(self.context.fork()), rest))
            case Replace(layer=layer, data=data):
                self._next.append((layer, data))
            case _:
                yield from super()._handle_command(command)


def _only_http1(_tls: SSL.Connection, offers: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    """Some clients offer HTTP/2 to a proxy too, and can't open a tunnel in it."""
    return _H1 if _H1 in offers else SSL.NO_OVERLAPPING_PROTOCOLS


def _said(error: Exception) -> str:
    if isinstance(error, SSL.Error):
        said = error.args[0] if error.args else ""
        return str(said[-1][-1]) if isinstance(said, list) and said else "not usable"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
