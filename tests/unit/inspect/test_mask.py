"""outgate.inspect.mask"""

from __future__ import annotations

import pytest

from outgate.inspect.mask import masked, printable, text, veiled, without_userinfo

HIDDEN = [
    "/services/T024BE7LD/B05KXYZ1234/abcdEFGH1234ijklMNOP5678",
    "/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
    "/api/webhooks/1122334455/Xy3-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789_abcdefABCDEF0123",
    "/x/ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "/x/sk-proj-aaaaaaaaaaaaaaaaaaaaaaaa",
    "/x/AKIAIOSFODNN7EXAMPLE",
    "/x/xoxb-1234567890-abcdefghij",
    "/x/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "/x/0123456789abcdef0123456789abcdef",
    "/x/8f14e45f-ceea-467f-9b3c-1a2b3c4d5e6f",
    "/x/q8Zr2LmXv0TnKwYs",
]


@pytest.mark.parametrize("path", HIDDEN)
def test_a_credential_in_a_path_is_hidden(path: str) -> None:
    longest = max(path.split("/"), key=len)
    assert longest not in masked(path)
    assert longest[9:] not in masked(path)


@pytest.mark.parametrize("path", HIDDEN)
def test_a_percent_encoded_credential_is_hidden_too(path: str) -> None:
    longest = max(path.split("/"), key=len)
    encoded = "".join(f"%{ord(c):02X}" for c in longest)
    shown = masked(path.replace(longest, encoded))
    assert longest not in shown
    assert encoded not in shown


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/repos/acme/site/issues/42/comments",
        "/v1/chat/completions",
        "/v1/customers/123456789012345678/subscriptions",
        "/how-to-build-a-proxy-in-python-2024-edition-for-2-people",
        "/api/getUserByIdAndOrganizationName",
        "/a_very_long_snake_case_name_for_things_v2",
        "/reports/2026-01-31/weekly-summary-2026-05.pdf",
        "/packages/outgate/outgate-0.1.0-py3-none-any.whl",
    ],
)
def test_what_people_name_things_stays_readable(path: str) -> None:
    assert masked(path) == path


def test_what_is_kept_of_a_long_id_tells_two_apart() -> None:
    first, second = masked("/c/9fceb02d0ae598e95dc970b74767f19372d61af8"), masked("/c/1a2b3c4d0ae598e95dc970b74767f19372d61af8")
    assert first == "/c/9fceb02d…(40 hidden)"
    assert first != second


def test_a_token_in_a_host_name_is_hidden_though_it_came_in_lower_case() -> None:
    assert "akiaiosfodnn7example" not in veiled("akiaiosfodnn7example.evil.test")


def test_a_long_random_host_label_stays_readable() -> None:
    assert veiled("d111111abcdef8k2j3h4.cloudfront.net") == "d111111abcdef8k2j3h4.cloudfront.net"


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nb", "\r", "\x00", "\u202eevil", "\u2028", "\u2066", "\x7f", "\x9b", "\ud800"])
def test_nothing_that_drives_a_terminal_is_kept(hostile: str) -> None:
    shown = printable(hostile, 256)
    assert shown.isprintable()
    assert shown.encode()


def test_a_cut_says_how_much_there_was() -> None:
    assert printable("x" * 5000, 100) == "x" * 76 + "…(5000 characters)"


@pytest.mark.parametrize("value", ["é" * 300, "\x1b" * 300, "😀" * 300, "\ud800" * 300, 'a"' * 300])
def test_a_cut_holds_in_bytes(value: str) -> None:
    assert len(text(value, 128).encode()) <= 128


def test_a_proxys_password_is_left_out() -> None:
    assert without_userinfo("http://user:hunter2@proxy.corp.example:3128") == "http://proxy.corp.example:3128"


def test_a_credential_across_a_cut_is_hidden() -> None:
    for start in range(40, 140):
        shown = text("/" * start + "ghp_16C7e42F292c6912E7710c838347Ae178B4a", 128)
        assert "ghp_1" not in shown
