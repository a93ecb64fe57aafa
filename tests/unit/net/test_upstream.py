import ssl
from pathlib import Path

import pytest
import trustme

from outgate.errors import ConfigError, UnavailableError
from outgate.intake.destinations import Destination, Destinations
from outgate.net.upstream import Trust, UpstreamTrust, write_bundle


@pytest.fixture(scope="module")
def authorities():
    return [trustme.CA(organization_name=f"CA {n}").cert_pem.bytes() for n in range(2)]


def held(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return len(context.get_ca_certs())


def test_a_bundle_holds_every_root_once(tmp_path, authorities):
    first, second = authorities
    bundle = write_bundle(tmp_path / "new", [first + second, b"# said twice\r\n" + first.replace(b"\n", b"\r\n")])
    assert held(bundle) == 2


def test_the_same_roots_are_the_same_file(tmp_path, authorities):
    assert write_bundle(tmp_path, authorities) == write_bundle(tmp_path, authorities)
    assert len(list(tmp_path.iterdir())) == 1


def test_other_roots_are_another_file(tmp_path, authorities):
    assert write_bundle(tmp_path, authorities) != write_bundle(tmp_path, authorities[:1])


def test_a_file_that_someone_changed_is_written_anew(tmp_path, authorities):
    bundle = write_bundle(tmp_path, authorities)
    bundle.write_text("changed")
    assert held(write_bundle(tmp_path, authorities)) == 2


def test_what_is_no_certificate_does_not_spoil_the_others(tmp_path, authorities):
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"
    assert held(write_bundle(tmp_path, [broken, authorities[0]])) == 1


def test_no_root_at_all_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no root certificate"):
        write_bundle(tmp_path, [b"", b"nothing"])


def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path, authorities):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=r"can't write .*: "):
        write_bundle(tmp_path / "file", authorities)


def test_a_host_with_a_ca_of_its_own_is_trusted_by_that_alone():
    own = Destination(pattern="*.corp.test", ca="/etc/corp.pem", client_cert="/etc/me.pem")
    trust = UpstreamTrust(bundle=Path("/bundle.pem"), destinations=Destinations(by_pattern={"*.corp.test": own}))
    assert trust.trust_for("git.corp.test") == Trust(ca=Path("/etc/corp.pem"), client_cert=Path("/etc/me.pem"))
    assert trust.trust_for("api.test") == Trust(ca=Path("/bundle.pem"), client_cert=None)
