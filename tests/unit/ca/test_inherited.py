"""An inherited corporate proxy or CA is taken over; a broken one is an error, never a direct connection."""

from datetime import UTC, datetime

import pytest

from outgate.ca.authority import make_authority
from outgate.ca.inherited import inherited
from outgate.ca.trust import read_trust
from outgate.errors import ConfigError
from outgate.stores.shipped import shipped

TRUST = read_trust(shipped("certs", "trust.yaml").read_text(), "trust.yaml")
CORP = make_authority(datetime.now(UTC)).pem


def read(files):
    def one(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    return one


def told(environ, files=()):
    with pytest.raises(ConfigError) as caught:
        inherited(TRUST, environ, read(dict(files)))
    return [str(problem) for problem in caught.value.problems]


def test_nothing_set_is_nothing_inherited():
    found = inherited(TRUST, {"HOME": "/nowhere"}, read({}))
    assert (found.via, found.bypass, dict(found.roots), found.wgetrc) == (None, (), {}, "")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://proxy.corp.test:8080", "http://proxy.corp.test:8080"),
        ("http://proxy.corp.test:8080/", "http://proxy.corp.test:8080"),
        ("proxy.corp.test:8080", "http://proxy.corp.test:8080"),
        ("https://proxy.corp.test", "https://proxy.corp.test:443"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
        ("http://ann:s3cret@proxy.corp.test:8080", "http://ann:s3cret@proxy.corp.test:8080"),
    ],
)
def test_a_proxy_becomes_via(value, url):
    assert inherited(TRUST, {"HTTPS_PROXY": value}, read({})).via.url == url


def test_a_password_is_in_the_url_and_in_nothing_that_is_shown():
    via = inherited(TRUST, {"https_proxy": "http://ann:s3cret@proxy.corp.test:8080"}, read({})).via
    assert via.shown == "http://proxy.corp.test:8080"
    assert "s3cret" not in repr(via)


def test_https_proxy_wins_over_all_proxy_over_http_proxy():
    environ = {"http_proxy": "http://c:1", "ALL_PROXY": "http://b:1", "HTTPS_PROXY": "http://a:1"}
    order = []
    while found := inherited(TRUST, environ, read({})).via:
        order.append(found.variable)
        del environ[found.variable]
    assert order == ["HTTPS_PROXY", "ALL_PROXY", "http_proxy"]


def test_what_the_operator_sends_direct_is_known():
    found = inherited(TRUST, {"NO_PROXY": "localhost, .corp.test,,10.0.0.0/8"}, read({}))
    assert found.bypass == ("localhost", ".corp.test", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("http://proxy:notaport", "is not a URL"),
        ("http://proxy:99999", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("socks5h://127.0.0.1:1080", "asks for a 'socks5h' proxy"),
        ("http://", "names no host"),
        ("http://proxy.corp.test:80/path", "has more than a host and a port"),
        ("http://a b:80", "names no host"),
    ],
)
def test_a_broken_proxy_is_an_error_that_names_variable_and_remedy(value, wrong):
    (message,) = told({"HTTPS_PROXY": value})
    assert message.startswith(f"environment: HTTPS_PROXY {wrong}")
    assert message.endswith("write http://host:port or unset it")


def test_a_broken_proxys_password_is_not_told():
    (message,) = told({"HTTPS_PROXY": "http://ann:s3cret@:x"})
    assert "s3cret" not in message


def test_roots_are_taken_from_each_variable_that_names_some():
    environ = {"SSL_CERT_FILE": "/corp.pem", "NODE_EXTRA_CA_CERTS": "/node.pem", "SSL_CERT_DIR": "/certs"}
    found = inherited(TRUST, environ, read({"/corp.pem": CORP, "/node.pem": CORP, "/certs": b""}))
    assert set(found.roots) == {"SSL_CERT_FILE=/corp.pem", "NODE_EXTRA_CA_CERTS=/node.pem", "SSL_CERT_DIR=/certs"}
    assert found.roots["SSL_CERT_FILE=/corp.pem"] == CORP


def test_a_switch_is_not_a_path():
    assert not inherited(TRUST, {"CONDA_SSL_VERIFY": "false"}, read({})).roots


def test_every_broken_variable_is_told_at_once():
    environ = {"SSL_CERT_FILE": "/gone.pem", "REQUESTS_CA_BUNDLE": "/notes.txt", "ALL_PROXY": "ftp://x", "WGETRC": "/no"}
    assert told(environ, {"/notes.txt": b"shopping list"}) == [
        "environment: ALL_PROXY asks for a 'ftp' proxy, and only http and https ones can be used, write http://host:port or unset it",
        "environment: SSL_CERT_FILE names '/gone.pem', which can't be read (no such file or directory), correct or unset it",
        "environment: REQUESTS_CA_BUNDLE names '/notes.txt', in which there is no PEM certificate, correct or unset it",
        "environment: WGETRC names '/no', which can't be read (no such file or directory), correct or unset it",
    ]


def test_real_files_and_folders_are_read(tmp_path):
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "a.pem").write_bytes(CORP)
    (tmp_path / "one.pem").write_bytes(CORP)
    (tmp_path / ".wgetrc").write_text("tries = 1\n")
    environ = {"SSL_CERT_FILE": f"{tmp_path}/one.pem", "SSL_CERT_DIR": f"{tmp_path}/certs", "HOME": str(tmp_path)}
    found = inherited(TRUST, environ)
    assert set(found.roots.values()) == {CORP}
    assert found.wgetrc == "tries = 1\n"
