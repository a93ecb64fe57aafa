"""outgate.ca.keep"""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from outgate.ca.authority import fingerprint
from outgate.ca.keep import LIFE, OVERLAP, finish, kept_ca, look, prepare, rotate
from outgate.ca.roots import certificates
from outgate.errors import ConfigError, UnavailableError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def prints(pem):
    return [fingerprint(certificate) for certificate in certificates(pem)]


def signer(kept):
    return fingerprint(kept.signing.certificate)


def test_it_is_made_once_and_is_the_same_at_every_start(tmp_path):
    assert look(tmp_path, NOW) is None
    first = kept_ca(tmp_path, NOW)
    again = kept_ca(tmp_path, NOW + timedelta(days=100))
    assert first.signing.private_pem == again.signing.private_pem
    assert first.left(NOW) == LIFE


def test_nobody_else_can_read_it(tmp_path):
    kept_ca(tmp_path, NOW)
    rotate(tmp_path, NOW)
    folder = tmp_path / "ca"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_of_several_that_begin_together_all_get_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: signer(kept_ca(tmp_path, NOW)), range(16)))
    assert len(set(made)) == 1
    assert [path.name for path in (tmp_path / "ca").iterdir()] == ["signing.pem"]


def test_what_is_told_to_clients_holds_no_key(tmp_path):
    kept_ca(tmp_path, NOW)
    prepare(tmp_path, NOW)
    assert b"PRIVATE" not in rotate(tmp_path, NOW).bundle(NOW)


def test_after_a_rotation_both_are_trusted_until_the_old_one_is_retired(tmp_path):
    old = kept_ca(tmp_path, NOW)
    new = rotate(tmp_path, NOW)
    assert signer(new) != signer(old)
    assert prints(new.bundle(NOW)) == [signer(new), signer(old)]
    assert prints(kept_ca(tmp_path, NOW).bundle(NOW + OVERLAP)) == [signer(new)]
    done, count = finish(tmp_path, NOW)
    assert count == 1
    assert prints(done.bundle(NOW)) == [signer(new)]


def test_the_key_of_one_that_signs_no_more_is_gone(tmp_path):
    kept_ca(tmp_path, NOW)
    rotate(tmp_path, NOW)
    keys = [path.name for path in (tmp_path / "ca").iterdir() if b"PRIVATE" in path.read_bytes()]
    assert keys == ["signing.pem"]


def test_the_next_one_may_be_trusted_before_it_signs(tmp_path):
    old = kept_ca(tmp_path, NOW)
    ready = prepare(tmp_path, NOW)
    assert signer(ready) == signer(old)
    assert ready.next is not None
    following = fingerprint(ready.next.certificate)
    assert prints(ready.bundle(NOW)) == [signer(old), following]
    assert prepare(tmp_path, NOW).bundle(NOW) == ready.bundle(NOW), "preparing twice makes one"
    done = rotate(tmp_path, NOW)
    assert signer(done) == following
    assert done.next is None
    assert prints(done.bundle(NOW)) == [following, signer(old)]


def test_several_rotations_in_a_day_are_all_remembered(tmp_path):
    kept_ca(tmp_path, NOW)
    for _ in range(3):
        rotate(tmp_path, NOW)
    assert len(kept_ca(tmp_path, NOW).old) == 3


def test_one_that_is_over_signs_nothing_and_can_be_replaced(tmp_path):
    kept_ca(tmp_path, NOW)
    later = NOW + LIFE
    with pytest.raises(ConfigError, match="outgate ca rotate"):
        kept_ca(tmp_path, later)
    assert rotate(tmp_path, later).left(later) == LIFE
    assert len(prints(kept_ca(tmp_path, later).bundle(later))) == 1, "what is over is trusted by nobody"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_not_used(tmp_path, mode):
    kept_ca(tmp_path, NOW)
    (tmp_path / "ca" / "signing.pem").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        kept_ca(tmp_path, NOW)


def test_a_folder_that_others_can_list_is_closed(tmp_path):
    (tmp_path / "ca").mkdir(mode=0o755)
    kept_ca(tmp_path, NOW)
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


def test_what_is_no_ca_is_not_used(tmp_path):
    kept = kept_ca(tmp_path, NOW)
    file = tmp_path / "ca" / "signing.pem"
    for content in (b"", b"nonsense", kept.signing.pem, kept.signing.leaf("a.test", NOW).pem):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match="holds"):
            kept_ca(tmp_path, NOW)


def test_another_ones_key_is_not_used(tmp_path):
    kept = kept_ca(tmp_path, NOW)
    other = kept_ca(tmp_path / "other", NOW)
    (tmp_path / "ca" / "signing.pem").write_bytes(kept.signing.pem + other.signing.private_pem[len(other.signing.pem) :])
    with pytest.raises(ConfigError, match="another one's key"):
        kept_ca(tmp_path, NOW)


def test_a_link_is_not_followed(tmp_path):
    kept_ca(tmp_path / "other", NOW)
    (tmp_path / "ca").mkdir(mode=0o700)
    (tmp_path / "ca" / "signing.pem").symlink_to(tmp_path / "other" / "ca" / "signing.pem")
    with pytest.raises(UnavailableError, match="no CA can be kept"):
        kept_ca(tmp_path, NOW)
