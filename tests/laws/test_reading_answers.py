"""Reading an answer along never fails, holds no more than a bound, and never reads two things out of one."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from outgate.inspect.rows import rows_in
from outgate.inspect.usage import Tap

AT = datetime(2026, 6, 1, tzinfo=UTC)
kinds = st.sampled_from(
    [
        "application/json",
        "text/event-stream",
        "application/x-ndjson",
        "application/vnd.amazon.eventstream",
        "text/csv",
        "",
        "x/y+json",
    ]
)
codings = st.sampled_from(["", "gzip", "br", "zstd", "deflate", "identity", "??"])
numbers = st.integers(-5, 10**13) | st.floats() | st.none() | st.booleans() | st.text(max_size=3)
counts = st.dictionaries(
    st.sampled_from(
        ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens", "promptTokenCount"]
    ),
    numbers,
)
values = st.recursive(
    numbers | st.builds(lambda c: {"usage": c, "model": "gpt-4o", "choices": []}, counts),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["usage", "message", "data", "rows"]), inner, max_size=3)
    ),
    max_leaves=8,
)
texts = values.map(lambda value: json.dumps(value).encode())
bodies = st.binary(max_size=400) | texts | st.lists(texts.map(lambda t: b"data: " + t + b"\n\n"), max_size=5).map(b"".join)


def read(kind, coding, chunks, host="api.openai.com", *, whole=True):
    tap = Tap(host=host, path="/v1/chat/completions", content_type=kind, encoding=coding, at=AT)
    for chunk in chunks:
        tap.feed(chunk)
    return tap.usage(whole=whole)


@settings(deadline=None)  # the first with a price reads the table of prices
@given(
    kinds,
    codings,
    st.lists(bodies, max_size=4),
    st.sampled_from(["api.openai.com", "api.anthropic.com", "a.test"]),
    st.booleans(),
)
def test_reading_along_never_fails_and_counts_are_counts(kind, coding, chunks, host, whole):
    usage = read(kind, coding, chunks, host, whole=whole)
    assert usage is None or min(usage.input_tokens, usage.output_tokens, usage.cost_micros or 0) >= 0


@settings(deadline=None)
@given(kinds, bodies, st.integers(1, 50))
def test_how_an_answer_is_cut_into_pieces_changes_nothing(kind, body, size):
    assert read(kind, "", [body]) == read(kind, "", [body[at : at + size] for at in range(0, len(body), size)])


@given(kinds, bodies)
def test_counting_rows_never_fails(kind, body):
    rows = rows_in(kind, body)
    assert rows is None or rows >= 0


@given(st.lists(st.integers() | st.text() | st.booleans() | st.dictionaries(st.just("id"), st.integers()), max_size=50))
def test_a_list_has_as_many_rows_as_items_however_it_is_wrapped(items):
    wrapped = ({"data": items}, {"result": {"rows": items, "more": False}}, {"a": {"b": {"items": items}}})
    assert {rows_in("application/json", json.dumps(value).encode()) for value in (items, *wrapped)} == {len(items)}
