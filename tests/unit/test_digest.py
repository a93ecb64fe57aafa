"""outgate.digest"""

from __future__ import annotations

import hashlib

import pytest

from outgate.digest import canonical, canonical_ascii_keys, sent_digest, sha256
from outgate.errors import EvidenceError

# RFC 8785, section 3.2.2, without what the profile has not: floats
SAMPLE = {"literals": [None, True, False], "string": '\u20ac$\u000f\nA\'B"\\\\"/', "numbers": [333333333, -4]}
FORM = rb'{"literals":[null,true,false],"numbers":[333333333,-4],"string":"' + '€$\\u000f\\nA\'B\\"\\\\\\\\\\"/'.encode() + b'"}'


@pytest.mark.parametrize("form", [canonical, canonical_ascii_keys])
def test_the_form_is_that_of_the_rfc(form):
    assert form(SAMPLE) == FORM


@pytest.mark.parametrize("form", [canonical, canonical_ascii_keys])
def test_what_has_no_form_is_an_error(form):
    with pytest.raises(EvidenceError, match="no canonical form"):
        form({"lone": "\ud800"})


def test_keys_sort_by_utf16_units_where_they_are_not_ascii():
    assert canonical({"\U0001f600": 1, "\ufb33": 2}) == '{"\U0001f600":1,"\ufb33":2}'.encode()


def test_what_nests_without_end_is_an_error_and_no_crash():
    endless: list = []
    endless.append(endless)
    with pytest.raises(EvidenceError):
        canonical_ascii_keys({"a": endless})


def test_a_digest_is_named():
    assert sha256(b"abc") == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_what_is_sent_is_named_by_each_of_its_parts():
    said = {"method": "GET", "scheme": "https", "host": "api.test", "port": 443, "target": "/a?b"}
    changed = [
        {"method": "POST"},
        {"scheme": "http"},
        {"host": "api.tes"},
        {"port": 44},
        {"target": "/a"},
        {"target": "/a?b\u00ff"},
    ]
    digests = {sent_digest(**said)} | {sent_digest(**said | one) for one in changed}
    assert len(digests) == 1 + len(changed)
