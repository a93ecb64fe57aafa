"""outgate.ca.roots"""

from __future__ import annotations

import pytest
import trustme

from outgate.ca.roots import certificates, pem_blocks, public_roots, read_pem

BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def authorities():
    return [trustme.CA(organization_name=f"CA {n}").cert_pem.bytes() for n in range(2)]


def test_each_certificate_is_given_once_in_order(authorities):
    first, second = authorities
    crlf = first.replace(b"\n", b"\r\n")
    found = certificates(b"# text between\n" + second + first + crlf + second)
    assert [one.subject for one in found] == [certificates(pem)[0].subject for pem in (second, first)]


def test_what_is_no_certificate_is_no_root(authorities):
    assert len(certificates(BROKEN + authorities[0])) == 1
    assert certificates(b"") == []


def test_blocks_are_the_same_however_their_lines_end(authorities):
    assert pem_blocks(authorities[0]) == pem_blocks(b"\n\n" + authorities[0].replace(b"\n", b"\r\n"))
    assert not pem_blocks(authorities[0]) & pem_blocks(authorities[1])


def test_this_system_has_roots_to_begin_with():
    assert len(certificates(b"\n".join(public_roots()))) > 50


def test_a_folder_is_all_its_files(tmp_path, authorities):
    for n, pem in enumerate(authorities):
        (tmp_path / f"{n}.pem").write_bytes(pem)
    (tmp_path / "folder").mkdir()
    assert len(certificates(read_pem(str(tmp_path)))) == 2
    with pytest.raises(OSError, match="No such file"):
        read_pem(str(tmp_path / "none"))
