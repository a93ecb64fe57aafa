from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import trustme

from outgate.errors import ConfigError
from outgate.intake.destinations import Direct, Fixed, Via
from outgate.intake.listening import Listener, Secured
from outgate.settings import BODY_LIMIT, Settings, Webhook, load, read

HEAD = "outgate: settings/v1alpha\n"


@pytest.fixture
def pem(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("me.test").private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    return tmp_path


def settings(text, folder=Path("/")):
    return read(HEAD + text, "config.yaml", folder)


def wrong(text, folder=Path("/")):
    with pytest.raises(ConfigError) as error:
        read(text, "config.yaml", folder)
    return [str(problem) for problem in error.value.problems]


def test_a_file_that_says_nothing_sets_what_holds_without_one():
    assert settings("") == Settings()


def test_everything_that_can_be_set_is_read(pem):
    (pem / "services").mkdir()
    said = settings(
        """
agent: {name: coder, team: platform, owner: alice, permissions: [deploy], labels: {tier: gold}, since: 2026-01-31}
policy: [coding-agent, ./mine.yaml]
enforce: true
fence: false
share: services
direct: [5432, 6379]
transparent: false
transparent_ports: [443, 8443]
services: services
plugins: acme-catalog
networks: {office: [10.0.0.0/8, "fd00:12::/32"]}
destinations:
  API.OpenAI.com: {address: "127.0.0.1:9443", ca: ca.pem}
  "*.corp.example": {network: office, client_cert: me.pem, via: direct}
  "*": {via: "http://me:secret@proxy.example:3128"}
metrics: 127.0.0.1:9464
body_limit: 1 MiB
log_level: debug
""",
        pem,
    )
    assert (said.enforce, said.fence, said.direct, said.metrics, said.body_limit, said.log_level) == (
        True,
        False,
        (5432, 6379),
        "127.0.0.1:9464",
        1 << 20,
        "debug",
    )
    assert (said.transparent, said.transparent_ports) == (False, (443, 8443))
    assert said.policies == ("coding-agent", str(pem / "mine.yaml"))
    assert said.share == said.services == (pem / "services",)
    assert said.plugins == ("acme-catalog",)
    agent = said.agent.agent("coder")
    assert (agent.id, agent.team, agent.owner, agent.permissions, dict(agent.labels)) == (
        "coder",
        "platform",
        "alice",
        frozenset({"deploy"}),
        {"tier": "gold"},
    )
    assert agent.since == datetime(2026, 1, 31, tzinfo=UTC)
    openai, git = said.destinations.of("api.openai.com"), said.destinations.of("git.corp.example")
    assert (openai.route, openai.ca) == (Fixed(address=ip_address("127.0.0.1"), port=9443), str(pem / "ca.pem"))
    assert (git.route, git.client_cert) == (Direct(), str(pem / "me.pem"))
    assert git.network.blocks == (ip_network("10.0.0.0/8"), ip_network("fd00:12::/32"))
    assert said.destinations.of("x.test").route == Via(host="proxy.example", port=3128, credentials="me:secret")


def test_a_proxys_password_does_not_show():
    assert "secret" not in repr(settings('destinations: {"*": {via: "http://me:secret@proxy.example:3128"}}'))


def test_every_problem_is_named_at_once_with_its_place_and_remedy(tmp_path):
    text = """outgate: settings/v1alpha
agent: {nme: x}
destinations:
  api.test: {address: "127.0.0.1:9443", ca: nope.pem}
  "*.Corp.test": {network: ofice, via: "socks5://me:secret@x"}
  "*.corp.test": {via: direct}
  bad_host: {}
  other.test: {address: "127.1", via: direct}
  "*": {address: 127.0.0.1}
networks:
  office: [10.0.0.0/8, 127.0.0.0/8]
direct: [1, 70000]
transparent_ports: [53, 65536]
body_limit: 8 MB
log_level: inf
share: nowhere
"""
    assert wrong(text, tmp_path) == [
        "config.yaml:2:9: 'agent' has no key 'nme', did you mean 'name'?",
        f"config.yaml:4:45: {tmp_path}/nope.pem can't be read: No such file or directory",
        "config.yaml:5:28: no network 'ofice', did you mean 'office'?",
        "config.yaml:5:40: only HTTP proxies can stand upstream: write http://host:port",
        "config.yaml:6:3: '*.corp.test' is here twice, keep one",
        "config.yaml:7:3: 'bad_host': the host is not a plain name or address: use lower-case letters, digits, hyphens and dots",
        "config.yaml:8:25: '127.1': the host is an IPv4 address in an odd spelling: write four decimal numbers",
        "config.yaml:8:34: a destination has an 'address' or a 'via', not both",
        "config.yaml:9:9: every host at one address is a mistake, name the hosts",
        "config.yaml:11:24: '127.0.0.0/8': loopback, metadata, multicast and unspecified addresses can't be opened as a network",
        "config.yaml:12:13: a port is a number from 1 to 65535, not 70000",
        "config.yaml:13:21: port 53 is where names are asked for, and nothing else is spoken",
        "config.yaml:13:25: a port is a number from 1 to 65535, not 65536",
        "config.yaml:14:13: 'body_limit' is a number of bytes, like 1048576 or 8 MiB",
        "config.yaml:15:12: unknown log level 'inf', did you mean 'info'?",
        f"config.yaml:16:8: {tmp_path}/nowhere does not exist, name a file or folder that does",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "config.yaml: the settings file is a table with outgate, not nothing"),
        ("agent: {}\n", "config.yaml:1:1: the settings file lacks 'outgate'"),
        ("outgate: settings/v9\n", "config.yaml:1:10: unknown settings language 'settings/v9', did you mean 'settings/v1alpha'?"),
        (HEAD + "destination: {}\n", "config.yaml:2:1: the settings file has no key 'destination', did you mean 'destinations'?"),
        (HEAD + "enforce: yes\n", "config.yaml:2:10: 'enforce' is true or false, not 'yes'"),
        (HEAD + "body_limit: 0\n", "config.yaml:2:13: 'body_limit' is a number of bytes, like 1048576 or 8 MiB"),
        (HEAD + "body_limit: true\n", "config.yaml:2:13: 'body_limit' is a number of bytes, like 1048576 or 8 MiB"),
        (HEAD + "agent: {since: 2026-13-01}\n", "config.yaml:2:16: '2026-13-01': write a date like 2026-01-31, or a time"),
        (
            HEAD + "agent: {since: 2026-01-01T08:00}\n",
            "config.yaml:2:16: '2026-01-01T08:00': write a date like 2026-01-31, or a time",
        ),
        (HEAD + "agent: {name: ../x}\n", "config.yaml:2:15: an agent's name is 1 to 64 letters"),
        (HEAD + "destinations: {a.test: {alpn: h2}}\n", "config.yaml:2:25: 'alpn' is not in this version"),
        ("outgate: *x\n", "config.yaml:1:10: alias '*x' is not allowed here, write the value out"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(text, problem):
    (said,) = wrong(text)
    assert said.startswith(problem)


def test_a_certificate_without_its_key_is_no_client_certificate(pem):
    (said,) = wrong(HEAD + "destinations: {a.test: {client_cert: ca.pem}}", pem)
    assert said.endswith("ca.pem has not a certificate and its key, not encrypted, in PEM form")


def test_a_key_is_no_authority(tmp_path):
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (said,) = wrong(HEAD + "destinations: {a.test: {ca: key.pem}}", tmp_path)
    assert said.endswith("key.pem has not a certificate in PEM form")


def test_broken_networks_do_not_make_destinations_look_broken():
    assert len(wrong(HEAD + "networks: {Office: [10.0.0.0/8]}\ndestinations: {a.test: {network: Office}}\n")) == 1


@pytest.mark.parametrize(("written", "size"), [("4096", 4096), ("1 B", 1), ("8KiB", 8192), ("2 GiB", 2 << 30)])
def test_a_size_has_a_binary_unit_or_none(written, size):
    assert settings(f"body_limit: {written}\n").body_limit == size


def test_times_are_utc():
    assert settings("agent: {since: 2026-01-31T08:00:00+02:00}").agent.since == datetime(2026, 1, 31, 6, tzinfo=UTC)


def test_without_a_file_there_is_nothing_to_read(tmp_path):
    assert load(None, {"OUTGATE_CONFIG": str(tmp_path)}) == Settings()


def test_the_users_own_file_is_found(tmp_path):
    (tmp_path / "config.yaml").write_text(HEAD + "enforce: true\nservices: .\n")
    said = load(None, {"OUTGATE_CONFIG": str(tmp_path)})
    assert (said.enforce, said.services) == (True, (tmp_path,))


def test_a_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read: No such file or directory"):
        load(tmp_path / "none.yaml", {})


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not text: settings are UTF-8"):
        load(tmp_path / "config.yaml", {})


def test_a_body_limit_holds_without_being_set():
    assert Settings().body_limit == BODY_LIMIT


# what a server adds


@pytest.fixture
def secrets(tmp_path):
    for name in ("hook", "ntfy", "admin"):
        (tmp_path / name).write_text("s3cret\n")
    (tmp_path / "empty").write_text("\n")
    return tmp_path


def test_everything_that_a_server_can_be_told_is_read(secrets):
    said = settings(
        """
listen:
  - {address: "127.0.0.1:3128"}
  - {address: "[::1]:3129", agent: mailer}
  - {address: "0.0.0.0:3130", plaintext: true}
agents: agents.yaml
people: /etc/outgate/people.yaml
hold: 10s
drain: 2m
admin: 127.0.0.1:9000
admin_token_file: admin
notify:
  webhook: {url: "https://chat.example/hook", secret_file: hook}
  ntfy: [{url: "https://ntfy.example", topic: approvals, token_file: ntfy}, {url: "http://127.0.0.1:8080", topic: all}]
""",
        secrets,
    )
    assert [str(listener) for listener in said.listen] == ["127.0.0.1:3128", "[::1]:3129", "0.0.0.0:3130"]
    assert [listener.agent for listener in said.listen] == ["", "mailer", ""]
    assert (said.agents, said.people) == (secrets / "agents.yaml", Path("/etc/outgate/people.yaml"))
    assert (said.hold, said.drain) == (timedelta(seconds=10), timedelta(minutes=2))
    assert (said.admin, said.admin_token_file) == ("127.0.0.1:9000", secrets / "admin")
    assert said.webhooks == (Webhook(url="https://chat.example/hook", secret_file=secrets / "hook"),)
    assert [(one.topic, one.token_file) for one in said.ntfy] == [("approvals", secrets / "ntfy"), ("all", None)]


def test_one_listener_stands_without_brackets():
    assert settings('listen: {address: "localhost:1"}').listen == (Listener(host="127.0.0.1", port=1),)


def test_what_is_spoken_at_a_listener_stands_before_its_address(pem):
    said = settings(
        """
listen:
  - {address: "socks5://127.0.0.1:1080", agent: mailer}
  - {address: "https://0.0.0.0:3129", names: [gate.example, 10.0.0.5, "fd00::5"]}
  - {address: "https://127.0.0.1:3130", agent: payer, tls: {client_ca: ca.pem}}
  - {address: "https://0.0.0.0:3131", tls: {cert: ca.pem, key: me.pem, client_ca: ca.pem, require_client_cert: false}}
""",
        pem,
    ).listen
    assert [str(one) for one in said] == [
        *("socks5://127.0.0.1:1080", "https://0.0.0.0:3129", "https://127.0.0.1:3130", "https://0.0.0.0:3131")
    ]
    assert said[0].secured is None
    assert said[1].secured == Secured(names=("gate.example", "10.0.0.5", "fd00::5"))
    assert said[2].secured == Secured(names=("127.0.0.1", "localhost"), client_ca=str(pem / "ca.pem"))
    ca, me = str(pem / "ca.pem"), str(pem / "me.pem")
    assert said[3].secured == Secured(names=("0.0.0.0",), cert=ca, key=me, client_ca=ca, require_client_cert=False)


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        ('address: "https://0.0.0.0:1"', "by which names do agents reach"),
        ('address: "https://127.0.0.1:1", names: "a b"', "by which agents reach it"),
        ('address: "https://127.0.0.1:1", names: "127.1"', "four decimal numbers"),
        ('address: "https://127.0.0.1:1", tls: {cert: ca.pem}', "a certificate and its key"),
        ('address: "https://127.0.0.1:1", tls: {cert: ca.pem, key: ca.pem}', "a key, not encrypted,"),
        ('address: "https://127.0.0.1:1", tls: {key: me.pem}', "a key without its certificate"),
        ('address: "https://127.0.0.1:1", tls: {client_ca: nowhere.pem}', "can't be read"),
        ('address: "https://127.0.0.1:1", tls: {require_client_cert: true}', "name a 'client_ca'"),
        ('address: "https://127.0.0.1:1", agent: a, tls: {client_ca: ca.pem, require_client_cert: false}', "leave it out"),
        ('address: "127.0.0.1:1", tls: {client_ca: ca.pem}', "only an https:// listener has 'tls'"),
        ('address: "socks5://127.0.0.1:1", names: a.test', "only an https:// listener has 'names'"),
        ('address: "socks5://0.0.0.0:1"', "'plaintext: true'"),
        ('address: "ftp://127.0.0.1:1"', "comes in by http://"),
    ],
)
def test_what_a_listener_can_not_be_is_said(pem, listener, said):
    (problem,) = wrong(HEAD + f"listen: [{{{listener}}}]", pem)
    assert problem.startswith("config.yaml:2:")
    assert said in problem


def test_two_ways_in_can_not_have_one_port():
    (problem,) = wrong(HEAD + 'listen: [{address: "127.0.0.1:1"}, {address: "socks5://127.0.0.1:1"}]')
    assert "is here twice" in problem


def test_a_host_may_be_passed_on_unread_up_to_a_bound():
    table = settings(
        'destinations: {"*.pinned.test": {tls: opaque, max_bytes: 2 MiB}, a.pinned.test: {tls: inspected}}'
    ).destinations
    assert (table.of("x.pinned.test").opaque, table.of("x.pinned.test").max_bytes) == (True, 2 << 20)
    assert table.of("a.pinned.test").opaque is False
    assert table.of("pinned.test").opaque is None


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ('"*": {tls: opaque}', "every host can't be opaque"),
        ("10.0.0.1: {tls: opaque}", "an address can't be opaque"),
        ("a.test: {tls: opaque, client_cert: me.pem}", "its TLS is the agent's own"),
        ("a.test: {tls: through}", "unknown tls 'through'"),
        ("a.test: {max_bytes: 1 GiB}", "stands beside 'tls: opaque'"),
        ("a.test: {tls: opaque, max_bytes: 1 TB}", "is a number of bytes"),
    ],
)
def test_what_can_not_be_passed_on_unread_is_said(pem, destination, said):
    (problem,) = wrong(HEAD + f"destinations: {{{destination}}}", pem)
    assert said in problem


def test_a_socket_of_the_operators_needs_no_token():
    assert settings("admin: /run/outgate/admin.sock").admin == "/run/outgate/admin.sock"


@pytest.mark.parametrize("place", ["0.0.0.0:3128", "10.1.2.3:3128", "[::]:3128"])
def test_what_a_network_reaches_is_listened_on_only_where_that_is_said(place):
    (problem,) = wrong(HEAD + f'listen: [{{address: "{place}"}}]')
    assert problem.startswith("config.yaml:2:")
    assert "'plaintext: true'" in problem
    assert settings(f'listen: [{{address: "{place}", plaintext: true}}]').listen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('listen: [{address: "proxy.example:3128"}]', "Write an address and a port"),
        ('listen: [{address: "127.0.0.1:99999"}]', "Write an address and a port"),
        ('listen: [{address: "127.0.0.1:1"}, {address: "localhost:1"}]', "127.0.0.1:1 is here twice"),
        ("listen: [{agent: mailer}]", "lacks 'address'"),
        ("hold: 61s", "'hold' is a time from 0s to 60s"),
        ("hold: 4", "'hold' is a time from 0s to 60s"),
        ("hold: true", "'hold' is a time from 0s to 60s"),
        ("drain: 2d", "'drain' is a time from 0s to 3600s"),
        ("admin: 127.0.0.1:9000", "name an 'admin_token_file'"),
        ("{admin: 127.0.0.1:9000, admin_token_file: empty}", "is empty"),
        ("admin_token_file: nowhere", "can't be read"),
        ("notify: {webhook: {url: https://chat.example/, secret_file: nowhere}}", "can't be read"),
        ("notify: {webhook: {url: https://chat.example/}}", "lacks 'secret_file'"),
        ("notify: {webhook: {url: ftp://chat.example/, secret_file: hook}}", "an http or https URL"),
        ('notify: {ntfy: {url: "https://me:pw@ntfy.example", topic: a}}', "no user name or password"),
        ('notify: {ntfy: {url: "https://ntfy.example:99999", topic: a}}', "'url' is http or https"),
        ("notify: {ntfy: {url: https://ntfy.example, topic: a/b}}", "a topic is"),
        ("notify: {mail: {}}", "has no key 'mail'"),
    ],
)
def test_what_a_server_can_not_use_is_said_with_its_place(secrets, text, said):
    text = text.strip("{}") if text.startswith("{") else text
    problems = wrong(HEAD + text.replace(", admin_token_file", "\nadmin_token_file"), secrets)
    assert [problem for problem in problems if said.lower() in problem.lower()], problems
    assert all(problem.startswith("config.yaml:") for problem in problems)


def test_a_password_in_a_url_is_not_repeated():
    assert "hunter2" not in "".join(wrong(HEAD + 'notify: {ntfy: {url: "https://me:hunter2@ntfy.example", topic: a}}'))


def test_what_is_ours_at_a_destination_is_said_of_it():
    digest = "sha256:" + 64 * "a"
    said = settings(
        f'destinations: {{api.github.com: {{owned: ["organisation:acme"], credentials: {digest}}}, "*.x.test": {{owned: "bucket:a-*"}}}}'
    )
    github, other = said.destinations.of("api.github.com"), said.destinations.of("a.x.test")
    assert (github.owned, github.credentials) == (("organisation:acme",), frozenset({64 * "a"}))
    assert (other.owned, other.credentials) == (("bucket:a-*",), None)
    assert said.destinations.of("elsewhere.test").owned is None
