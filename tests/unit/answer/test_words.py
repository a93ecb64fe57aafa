from outgate.answer.reply import Refusal
from outgate.answer.words import line, phrase, safe


def test_a_line_has_no_control_or_format_characters():
    assert line("a\x1b[2J\r\nb\u202ec\u200b\u2028d", 100) == "a [2J b c d"


def test_a_long_line_is_cut_and_says_so():
    assert line("x" * 50, 10) == "x" * 9 + "…"


def test_a_reason_phrase_is_ascii():
    assert phrase("Für £5 … fragen Sie Zoë") == "Fur ?5 ... fragen Sie Zoe"


def test_a_reason_phrase_is_short():
    assert len(phrase("word " * 1000)) <= 242


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
