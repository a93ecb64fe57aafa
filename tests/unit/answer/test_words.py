from dataclasses import replace
from datetime import timedelta

import pytest

from outgate.answer.reply import Asked, LimitState, Refusal
from outgate.answer.words import line, phrase, retry_soon, safe, seconds

URL = "http://outgate.internal/approvals/abcd-efgh-ijkl"
ASKED = Asked(id="abcd-efgh-ijkl", status_url=URL, expires="2026-01-02T00:00:00.000Z")
LIMIT = LimitState(name="crm-rate", quota=60, window=60, left=0, reset=12)


def refused(tell="No.", **said):
    return Refusal(**{"status": 403, "answer": "escalate", "kind": "approval-required", "tell": tell, "receipt": ""} | said)


def test_a_line_has_no_control_or_format_characters():
    assert line("a\x1b[2J\r\nb\u202ec\u200b\u2028d", 100) == "a [2J b c d"


def test_a_long_line_is_cut_and_says_so():
    assert line("x" * 50, 10) == "x" * 9 + "…"


def test_a_reason_phrase_is_ascii():
    assert phrase(refused("Für £5 … fragen Sie Zoë")) == "Fur ?5 ... fragen Sie Zoe"


def test_a_reason_phrase_is_short():
    assert len(phrase(refused("word " * 1000))) <= 240


def test_a_long_sentence_leaves_room_for_the_approvals_address():
    said = phrase(refused("word " * 1000, approval=ASKED))
    assert said.endswith(" Approval: http://outgate.internal/approvals/abcd-efgh-ijkl")
    assert len(said) <= 240


def test_what_an_agent_chose_is_bounded():
    said = safe(
        Refusal(
            status=403, answer="block", kind="a b\r\nX: y", tell="t" * 9999, receipt="w-1\r\nX: y", actions=("a" * 9999,) * 9999
        )
    )
    assert (said.kind, said.receipt, len(said.tell), len(said.actions)) == ("abX:y", "w-1X:y", 1000, 20)
    assert max(map(len, said.actions)) == 200


def test_a_refusal_without_a_sentence_still_says_something():
    assert safe(Refusal(status=403, answer="block", kind="blocked", tell="\n", receipt="")).tell == "The request was refused."


def test_what_waits_for_people_says_where_it_stands_however_long_its_own_sentence_is():
    tell = safe(refused("word " * 1000, approval=ASKED)).tell
    assert f"Approval abcd-efgh-ijkl waits for people until 2026-01-02T00:00:00.000Z: {URL} says where it stands." in tell
    assert tell.endswith("send the identical request again. Silence is no denial.")


def test_what_is_over_a_limit_says_when_to_come_back():
    over = refused("Slower.", status=429, answer="throttle", kind="over-limit", retry_after=timedelta(seconds=11.2))
    assert safe(over).tell == "Slower. Try again in 12 s."
    assert safe(replace(over, retry_after=None)).tell == "Slower."


@pytest.mark.parametrize(
    ("answer", "after"), [("throttle", 12), ("escalate", 12), ("block", None), ("sandbox", None), ("allow", None)]
)
def test_only_what_may_change_by_waiting_says_when_to_come_back(answer, after):
    assert seconds(refused(answer=answer, retry_after=timedelta(seconds=12))) == after


@pytest.mark.parametrize(("given", "after"), [(timedelta(0), 1), (timedelta(seconds=-5), 1), (timedelta(milliseconds=1001), 2)])
def test_a_time_to_come_back_is_whole_seconds_and_never_now(given, after):
    assert seconds(refused(retry_after=given)) == after


@pytest.mark.parametrize(
    ("said", "soon"),
    [
        ({"answer": "throttle", "retry_after": timedelta(seconds=60)}, True),
        ({"answer": "throttle", "retry_after": timedelta(seconds=61)}, False),
        ({"answer": "throttle", "retry_after": None}, False),
        ({"answer": "escalate", "retry_after": timedelta(seconds=1)}, False),
    ],
)
def test_a_client_retries_by_itself_only_what_a_limit_has_room_for_soon(said, soon):
    assert retry_soon(refused(**said)) is soon


def test_a_limit_is_told_in_bounds():
    wild = replace(LIMIT, name='a"b\r\n', quota=10**20, window=0, left=-3, reset=-1)
    said = safe(refused(limits=(wild,) * 50)).limits
    assert len(said) == 8
    assert said[0] == LimitState(name="ab", quota=999_999_999_999_999, window=1, left=0, reset=0)


def test_an_approval_is_spoken_of_only_where_people_are_waited_for():
    assert safe(refused(answer="block", approval=ASKED)).approval is None
    assert safe(refused(kind="approval-denied", approval=ASKED)).approval is None
    wild = Asked(id="a\r\nb", status_url='http://x/<a> "é\r\nX: y', expires="\x1b[2J")
    assert safe(refused(approval=wild)).approval == Asked(id="ab", status_url="http://x/aX:y", expires="2J")
