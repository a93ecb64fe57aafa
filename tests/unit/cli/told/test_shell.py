import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgate.cli.told.shell import LONGEST, words


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1, max_size=5))
def test_what_is_quoted_for_a_shell_is_read_back(texts):
    assert words(shlex.join(texts)) == texts


LINES = [
    "a b  c",
    "a 'b c' \"d e\" f\\ g",
    "a 'b'\\''c' d\"e\"f",
    'a "b\\"c\\$d\\\\e\\f"',
    "a \\\n  b \\\r\n c",
    "a \"b \\\nc\" 'd \\\ne'",
    "a $'b\\n\\t\\x41\\u00e4\\101\\'\\\\c'",
    "a '' \"\" b",
    "a #b",
    "a b#c",
    "a | b",
    "a; b",
    "a && b",
    "a > b",
    "a 2>/dev/null b",
    "a b 2> c",
]


@pytest.mark.parametrize("line", LINES)
def test_it_is_what_a_shell_gives_up_to_the_next_command(line):
    script = line.split(" | ")[0].split(" && ")[0].split(";")[0].split(" 2>")[0].split(" > ")[0].replace("\\\r\n", "\\\n")
    given_ = subprocess.run(["bash", "-c", f"printf '%s\\0' {script}"], capture_output=True, check=True).stdout
    assert words(line) == given_.decode().split("\0")[:-1]


def test_names_of_variables_stay():
    assert words('a "Bearer $TOKEN" $X `id`') == ["a", "Bearer $TOKEN", "$X", "`id`"]


@pytest.mark.parametrize("line", ["a 'b", 'a "b', "a $'b", "a $'b\\'"])
def test_an_open_quote_is_refused(line):
    with pytest.raises(ValueError, match="a quote is open"):
        words(line)


def test_what_would_go_on_behind_is_refused():
    with pytest.raises(ValueError, match="put the URL in quotes"):
        words("curl https://a.test/?a=1&b=2")


def test_an_endless_line_is_refused():
    with pytest.raises(ValueError, match="is not read"):
        words("a" * (LONGEST + 1))


@settings(max_examples=200)
@given(st.text("ab '\"\\$`|&;<>#\n\r\t", max_size=30))
def test_any_line_is_read_or_refused_with_a_sentence(line):
    found = ["it is read"]
    try:
        found = words(line)
    except ValueError as error:
        found = [str(error)]
    assert all(isinstance(word, str) for word in found)
