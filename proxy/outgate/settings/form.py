"""The form of the settings file: every key that there is."""

from __future__ import annotations

from types import MappingProxyType

from outgate.intake.agents import AGENT_ID
from outgate.policy.agent_form import AGENT_KEYS
from outgate.policy.shapes import Count, Many, Named, Scalar, Table, Text, Truth, Words
from outgate.settings.bounds import BOUNDS

LANGUAGE = "settings/v1alpha"
LOG_LEVELS = ("debug", "info", "warning", "error")

_name = Text("an agent's name", AGENT_ID.pattern, "1 to 64 letters, digits, '.', '_', '@', '-'")
_url = Text("'url'", r"https?://[^\s\x00-\x1f]{1,2000}", "an http or https URL")
_path = Text("a path", r"[^\x00]{1,4096}", "the path of a file or folder")
_later = "it comes with a later version"

FORM = Table(
    what="the settings file",
    required=frozenset({"outgate"}),
    keys={
        "outgate": Words("settings language", (LANGUAGE,)),
        "agent": Table(
            what="'agent'",
            keys={
                "name": _name,
                **AGENT_KEYS,
            },
        ),
        "policy": Many(
            Text("a policy", r"[^\x00]{1,4096}", "the name of a starter policy, or a file's path with a '/' or '.yaml'")
        ),
        "enforce": Truth("'enforce'"),
        "fence": Truth("'fence'"),
        "share": Many(_path),
        "direct": Many(Count("a port")),
        "transparent": Truth("'transparent'"),
        "transparent_ports": Many(Count("a port")),
        "services": Many(_path),
        "plugins": Many(Text("a plug-in", r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "the name of an installed package")),
        "mocks": Many(_path),
        "networks": Named("networks", Many(Text("a block", r"[0-9a-fA-F.:/]{2,60}", "addresses like 10.0.0.0/8"))),
        "destinations": Named(
            "destinations",
            Table(
                what="a destination",
                keys={
                    "address": Text("'address'", r"[0-9a-fA-F.:\[\]]{2,60}", "an IP address, with :port if it is another one"),
                    "via": Text("'via'", r"\S{1,500}", "direct, or a proxy like http://proxy.example:3128"),
                    "ca": _path,
                    "client_cert": _path,
                    "network": Text("a network", r"\S{1,64}", "the name of one under 'networks'"),
                    "tls": Words("tls", ("inspected", "opaque")),
                    "max_bytes": Scalar("'max_bytes'"),
                    "owned": Many(Text("an instance", r"[a-z]+:[^\x00-\x20]{1,255}", "a kind and a name, as in bucket:acme-*")),
                    "credentials": Many(
                        Text("a credential", r"sha256:[0-9a-f]{64}", "sha256: and what `printf %s TOKEN | sha256sum` gives")
                    ),
                },
                later=MappingProxyType({"alpn": _later}),
            ),
            r"[^\x00-\x20]{1,255}",
        ),
        "metrics": Text("'metrics'", r"[^\x00-\x1f]{1,4096}", "the path of a Unix socket, or host:port"),
        "body_limit": Scalar("'body_limit'"),
        "limits": Table(what="'limits'", keys={name: Scalar(f"'{name}'") for name in BOUNDS}),
        "log_level": Words("log level", LOG_LEVELS),
        "listen": Many(
            Table(
                what="a listener",
                required=frozenset({"address"}),
                keys={
                    "address": Text(
                        "'address'", r"\S{1,80}", "an address and a port, like 127.0.0.1:3128 or socks5://127.0.0.1:1080"
                    ),
                    "agent": _name,
                    "plaintext": Truth("'plaintext'"),
                    "names": Many(Text("a name", r"[A-Za-z0-9._:-]{1,253}", "a name or address by which agents reach it")),
                    "tls": Table(
                        what="a listener's 'tls'",
                        keys={
                            "cert": _path,
                            "key": _path,
                            "client_ca": _path,
                            "require_client_cert": Truth("'require_client_cert'"),
                        },
                    ),
                },
            )
        ),
        "agents": _path,
        "people": _path,
        "hold": Scalar("'hold'"),
        "drain": Scalar("'drain'"),
        "admin": Text("'admin'", r"[^\x00-\x1f]{1,4096}", "the path of a Unix socket, or host:port"),
        "admin_token_file": _path,
        "notify": Table(
            what="'notify'",
            keys={
                "webhook": Many(
                    Table(
                        what="a webhook",
                        required=frozenset({"url", "secret_file"}),
                        keys={"url": _url, "secret_file": _path},
                    )
                ),
                "ntfy": Many(
                    Table(
                        what="an ntfy topic",
                        required=frozenset({"url", "topic"}),
                        keys={
                            "url": _url,
                            "topic": Text("a topic", r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_', '-'"),
                            "token_file": _path,
                        },
                    )
                ),
            },
        ),
    },
)
