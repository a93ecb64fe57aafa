"""What passes is counted."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from outgate.mitm.streams import Download, Upload


@given(st.lists(st.binary(max_size=20)))
def test_an_upload_passes_unchanged_without_empty_chunks_and_is_hashed(pieces):
    upload = Upload()
    passed = [chunk for piece in pieces for chunk in upload(piece)]
    whole = b"".join(pieces)
    assert b"".join(passed) == whole
    assert b"" not in passed
    assert upload.count == len(whole)
    assert upload.digest == (f"sha256:{hashlib.sha256(whole).hexdigest()}" if whole else "")


@given(st.lists(st.binary(max_size=20)))
def test_a_download_passes_unchanged_without_empty_chunks(pieces):
    download = Download()
    passed = [chunk for piece in pieces for chunk in download(piece)]
    assert b"".join(passed) == b"".join(pieces)
    assert b"" not in passed
    assert download.count == sum(map(len, pieces))
