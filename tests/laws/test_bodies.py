"""A body that was kept in a file is read as one in memory is, by whoever reads it; and one framed for S3 as one that is not."""

import asyncio
import contextlib
import gzip
import hashlib
import tempfile
from dataclasses import replace

from asked import asked, with_body
from hypothesis import given, settings
from hypothesis import strategies as st

from outgate.approvals.request import request_digest
from outgate.inspect.examine import examine
from outgate.intake.codings import plain
from outgate.intake.request import NoBody, SpooledBody, WholeBody
from outgate.policy.answered import answered_of
from outgate.stores.catalog_files import load_catalog
from outgate.worker.inline import Inline
from outgate.worker.pool import Pool

CATALOG = load_catalog()
SECRET = b" ghp_" + b"a1B2" * 9 + b" "
JSON = b'{"model": "gpt-5", "messages": [{"role": "user", "content": "%s"}], "charge": "ch_1"}'
BODIES = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=60).map(lambda text: text + SECRET),
    st.text(st.characters(codec="ascii", exclude_characters='"\\', min_codepoint=32), max_size=40).map(
        lambda t: JSON % t.encode()
    ),
    st.just(JSON % SECRET),
    st.sampled_from([b"charge=ch_1&amount=5", b"a=%zz", b"0000", b"[" * 200, b"{}{}"]),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(
            [
                *("application/json", "application/x-www-form-urlencoded", "text/plain; charset=utf-7", "multipart/form-data"),
                *("application/json; charset=latin1", "application/json; charset=utf-8; charset=utf-8"),
            ]
        ),
        "content-encoding": st.sampled_from(["gzip", "br", "identity", "gzip, gzip", "aws-chunked", ""]),
        "x-amz-decoded-content-length": st.sampled_from(["0", "10"]),
    },
)
URLS = st.sampled_from(
    [
        *("POST https://api.stripe.com/v1/refunds", "POST https://api.openai.com/v1/chat/completions", "PUT https://x.test/a"),
        *("POST https://github.com/acme/site.git/git-receive-pack", "POST https://mcp.linear.app/mcp"),
    ]
)


@contextlib.contextmanager
def spooled(content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield SpooledBody(f"/dev/fd/{file.fileno()}", len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")


def packed(content, headers):
    return gzip.compress(content, mtime=0) if headers.get("content-encoding") == "gzip" and len(content) % 3 else content


@given(URLS, HEADERS, BODIES)
def test_a_spooled_body_is_read_as_a_whole_one(url, headers, content):
    request, inline = asked(url, headers=headers, body=WholeBody(packed(content, headers))), Inline()
    with spooled(packed(content, headers)) as body:
        kept = with_body(request, body)
        actions = asyncio.run(inline.actions("coder", kept, CATALOG, data=True))
        digest = asyncio.run(inline.digest("coder", kept))
        answered = asyncio.run(inline.answered("coder", 200, request.headers, body))
    assert actions == examine(request, CATALOG, data=True)
    assert digest == request_digest("coder", request)
    assert answered == answered_of(200, request.headers, request.body)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(URLS, HEADERS, BODIES), min_size=20, max_size=20))
def test_so_it_is_in_a_process_of_its_own(said):
    async def all_of_it():
        pool = Pool(processes=1)
        try:
            for url, headers, content in said:
                request = asked(url, headers=headers, body=WholeBody(packed(content, headers)))
                with spooled(packed(content, headers)) as body:
                    kept = with_body(request, body)
                    assert await pool.actions("coder", kept, CATALOG, data=True) == examine(request, CATALOG, data=True)
                    assert await pool.digest("coder", kept) == request_digest("coder", request)
                    found = await pool.answered("coder", 200, request.headers, body)
                    assert found == answered_of(200, request.headers, request.body)
        finally:
            await pool.close()

    asyncio.run(all_of_it())


@given(URLS, HEADERS, BODIES)
def test_what_nobody_made_whole_is_never_taken_for_nothing(url, headers, content):
    """Should one get where bodies are read without that, what it does is no less than what the whole one does, and unreadable."""
    request = asked(url, headers=headers, body=SpooledBody("-", len(content), "sha256:0"))
    bare = replace(request, body=NoBody())
    found = examine(request, CATALOG, data=True)
    assert all("unreadable" in action.data for action in found)
    assert max(a.tier for a in found) >= max(a.tier for a in examine(bare, CATALOG, data=True))
    assert request_digest("coder", request) is not None
    assert request_digest("coder", request) != request_digest("coder", replace(request, body=SpooledBody("-", 1, "sha256:1")))


@given(st.binary(max_size=200), st.lists(st.integers(1, 60), max_size=9))
def test_chunks_for_s3_are_put_together_whatever_their_lengths(content, sizes):
    pieces, at = [], 0
    for size in [*sizes, 200]:
        if piece := content[at : at + size]:
            pieces.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += size
    said = (("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", str(len(content))))
    assert plain(said, b"".join(pieces) + b"0\r\n\r\n") == content
