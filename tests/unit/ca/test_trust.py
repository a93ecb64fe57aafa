"""certs/trust.yaml, and what a child is told by it."""

import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.ca.authority import make_authority
from outgate.ca.roots import certificates, public_roots
from outgate.ca.trust import STORE_PASSWORD, Kind, Spot, environment, read_trust, trust_files
from outgate.errors import ConfigError
from outgate.stores.shipped import shipped

FILE = shipped("certs", "trust.yaml")
TRUST = read_trust(FILE.read_text(), "trust.yaml")
SPOT = Spot(folder="/run/outgate", host="127.0.0.1", port=3128)
OURS = make_authority(datetime.now(UTC)).pem
FILES = trust_files(TRUST, SPOT, ours=OURS, roots=public_roots(), wgetrc="tries = 3")


def test_both_spellings_of_each_proxy_variable_name_the_gate():
    made = environment(TRUST, {}, SPOT)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        assert made[name] == made[name.upper()] == "http://127.0.0.1:3128"


def test_only_loopback_is_not_sent_to_the_gate():
    made = environment(TRUST, {}, SPOT)
    for name in TRUST.names(Kind.BYPASS):
        assert made[name] == "localhost,127.0.0.1,::1"
    assert {"no_proxy", "NO_PROXY"} <= set(TRUST.names(Kind.BYPASS))


def test_java_and_wget_are_told_the_same_exception_as_the_others():
    made = environment(TRUST, {}, SPOT)
    assert "-Dhttp.nonProxyHosts=localhost|127.0.0.1|[::1]" in made["JAVA_TOOL_OPTIONS"].split()
    assert b"\nno_proxy = localhost,127.0.0.1,::1\n" in FILES["wgetrc"]


def test_additive_variables_name_our_ca_and_replacing_ones_the_bundle():
    made = environment(TRUST, {}, SPOT)
    assert made["NODE_EXTRA_CA_CERTS"] == made["DENO_CERT"] == "/run/outgate/ca.pem"
    assert {made[name] for name in TRUST.names(Kind.REPLACING)} == {"/run/outgate/bundle.pem"}


def test_every_file_that_a_variable_names_is_made():
    named = {value for value in environment(TRUST, {}, SPOT).values() if value.startswith("/run/outgate/")}
    assert named | {"/run/outgate/trust.p12"} == {f"/run/outgate/{name}" for name in FILES}


def test_inherited_proxies_and_roots_are_replaced_and_never_mixed():
    before = {
        "HTTPS_PROXY": "http://corp.test:8080",
        "NO_PROXY": "10.0.0.0/8,169.254.169.254",
        "SSL_CERT_FILE": "/etc/corp.pem",
        "SSL_CERT_DIR": "/etc/corp",
        "ftp_proxy": "http://corp.test:8080",
        "PATH": "/bin",
    }
    made = environment(TRUST, before, SPOT)
    assert not [name for name, value in made.items() if "corp" in value or "169.254" in value]
    assert made["PATH"] == "/bin"
    assert "SSL_CERT_DIR" not in made


NAMED = st.sampled_from(sorted({*TRUST.names(*Kind), *TRUST.removed}))


@given(st.dictionaries(NAMED, st.just("EVIL")))
def test_no_inherited_value_of_a_named_variable_survives(before):
    before.pop("JAVA_TOOL_OPTIONS", None)
    assert environment(TRUST, before, SPOT) == environment(TRUST, {}, SPOT)


def test_javas_other_options_are_kept_and_its_proxies_and_stores_replaced():
    inherited = (
        '-Xmx2g -Dhttps.proxyHost=corp.test -DsocksProxyHost=corp.test "-Dapp.name=two words" -Djavax.net.ssl.trustStore=/x'
    )
    made = environment(TRUST, {"JAVA_TOOL_OPTIONS": inherited}, SPOT)["JAVA_TOOL_OPTIONS"]
    assert made.startswith('-Xmx2g "-Dapp.name=two words" -Djavax.net.ssl.trustStore=/run/outgate/trust.p12 ')
    assert "corp" not in made
    assert made.count("trustStore=") == 1


def test_java_options_that_cannot_be_read_are_an_error_that_names_the_variable():
    with pytest.raises(ConfigError, match="JAVA_TOOL_OPTIONS can't be read"):
        environment(TRUST, {"JAVA_TOOL_OPTIONS": '-Da="b'}, SPOT)


def test_the_bundle_has_every_public_root_and_ours_once():
    bundle = certificates(FILES["bundle.pem"])
    assert certificates(OURS)[0] in bundle
    assert set(certificates(b"\n".join(public_roots()))) < set(bundle)
    assert len(bundle) == len(set(bundle)) == FILES["bundle.pem"].count(b"BEGIN CERTIFICATE")


def test_openssl_loads_the_whole_bundle():
    context = ssl.create_default_context(cadata=FILES["bundle.pem"].decode())
    assert context.cert_store_stats()["x509_ca"] >= len(certificates(FILES["bundle.pem"])) - 5  # old roots lack CA:TRUE


def test_what_wget_read_before_is_kept_before_our_lines():
    assert FILES["wgetrc"].startswith(b"tries = 3\nca_certificate = /run/outgate/bundle.pem\n")


@pytest.mark.skipif(not shutil.which("keytool"), reason="needs keytool, of a JDK")
def test_java_reads_its_store(tmp_path):
    (tmp_path / "t.p12").write_bytes(FILES["trust.p12"])
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", tmp_path / "t.p12", "-storepass", STORE_PASSWORD],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.count("trustedCertEntry") == len(certificates(FILES["bundle.pem"]))


def test_every_entry_says_whom_it_serves_and_where_that_is_known_from():
    assert all(variable.serves and variable.source for variable in TRUST.variables)
    assert all(TRUST.removed.values())


BROKEN = """\
outgate: trust/v1alpha
proxy:
  - names: [http_proxy, 1BAD]
    serves: [curl]
    source: x
    colour: red
bypass:
  - names: [http_proxy]
    serves: curl
    source: x
java:
  - names: [JAVA]
    options: ["-Da={nobody}"]
    serves: [Java]
    source: x
wat: []
"""


def test_every_problem_of_the_file_is_told_at_once_with_its_place():
    with pytest.raises(ConfigError) as caught:
        read_trust(BROKEN, "t.yaml")
    told = [str(problem) for problem in caught.value.problems]
    assert told == [
        "t.yaml:3:25: '1BAD' is not the name of an environment variable",
        "t.yaml:6:5: unknown key 'colour', use one of names, serves, source",
        "t.yaml:8:5: 'value' must be a text",
        "t.yaml:8:13: 'http_proxy' is here twice, keep one",
        "t.yaml:9:13: 'serves' must be a list of texts, at least one",
        "t.yaml:13:15: unknown field '{nobody}', use one of bundle, host, password, port, proxy, store",
        "t.yaml:16:1: unknown key 'wat', use one of proxy, bypass, settings, additive, replacing, java, wget, removed",
    ]


@pytest.mark.parametrize("text", ["", "[]", "outgate: trust/v9", "proxy: []"])
def test_a_file_that_does_not_say_its_version_is_refused(text):
    with pytest.raises(ConfigError, match="trust/v1alpha"):
        read_trust(text, "t.yaml")


README = (Path(__file__).parents[3] / "certs" / "README.md").read_text()


@pytest.mark.parametrize("section", [*Kind, "removed"])
def test_the_readme_explains_every_section(section):
    assert f"| `{section}` |" in README


@pytest.mark.parametrize("file", FILES)
def test_the_readme_names_every_file(file):
    assert f"`{file}`" in README
