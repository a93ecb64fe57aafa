import subprocess

import pytest

from outgate.cli.told import curl_options
from outgate.cli.told.curl_options import options


def test_options_are_given_by_their_long_name():
    assert list(options(["-sXPOST", "--url", "u", "-I", "-d", "x", "v", "--", "-w", "-"])) == [
        ("request", "POST"),
        ("url", "u"),
        ("head", ""),
        ("data", "x"),
        ("url", "v"),
        ("url", "-w"),
        ("url", "-"),
    ]


def test_what_says_nothing_of_the_request_is_passed_over_with_its_word():
    assert list(options(["-o", "f", "-m3", "--retry", "3", "--no-buffer", "-kLv", "--no-location", "u"])) == [("url", "u")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--wat"], "--wat is no option"),
        (["-!"], "-! is no option"),
        (["-z", "x"], "a date is compared"),
        (["--netrc"], "a password"),
        (["-o"], "-o needs a word"),
    ],
)
def test_what_is_not_known_or_can_not_be_told_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        list(options(given))


def test_curl_itself_says_the_same_of_each_option():
    """`--help all` shows `<word>` where an option takes one."""
    listed = subprocess.run(["curl", "--help", "all"], capture_output=True, check=True, text=True).stdout.splitlines()[1:]
    known = {}
    for line in listed:
        said = line.strip().split("  ")[0]
        name = said.split("--", 1)[1].split()[0] if "--" in said else ""
        known[name] = "<" in said or "[protocol" in said
    assert len(known) > 200
    with_word = (curl_options.TAKES_A_WORD | curl_options._IGNORED_WORDS) & known.keys()
    without = (curl_options.FLAGS | curl_options._IGNORED) & known.keys()
    assert {name for name in with_word if not known[name]} == set()
    assert {name for name in without if known[name]} == set()
