"""Options of curl: which take a word after them, and which say nothing of what is sent."""

from __future__ import annotations

from collections.abc import Iterator

MEANT = {
    "-X": "request",
    "-H": "header",
    "-d": "data",
    "-F": "form",
    "-u": "user",
    "-G": "get",
    "-I": "head",
    "-A": "user-agent",
    "-e": "referer",
    "-b": "cookie",
    "-r": "range",
    "-T": "upload-file",
    "-g": "globoff",
}
"""Short options that say something of the request, by their long name."""
TAKES_A_WORD = frozenset(
    {
        *("request", "header", "data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json", "form", "form-string"),
        *("user", "oauth2-bearer", "user-agent", "referer", "cookie", "range", "upload-file", "url", "url-query", "aws-sigv4"),
        "proto-default",
    }
)
FLAGS = frozenset({"get", "head", "globoff", "path-as-is", "compressed", "next"})
_IGNORED_WORDS = frozenset(
    {
        *(
            "cacert",
            "capath",
            "cert",
            "cert-type",
            "ciphers",
            "config",
            "connect-timeout",
            "connect-to",
            "cookie-jar",
            "create-file-mode",
        ),
        *("crlfile", "curves", "dns-servers", "dump-header", "interface", "keepalive-time", "key", "key-type", "limit-rate"),
        *("local-port", "max-filesize", "max-redirs", "max-time", "noproxy", "output", "output-dir", "parallel-max", "pass"),
        *("pinnedpubkey", "preproxy", "proto", "proto-redir", "proxy", "proxy-user", "proxy-header", "rate", "resolve", "retry"),
        *(
            "retry-delay",
            "retry-max-time",
            "socks4",
            "socks4a",
            "socks5",
            "socks5-hostname",
            "speed-limit",
            "speed-time",
            "stderr",
        ),
        *(
            "tls-max",
            "tls13-ciphers",
            "trace",
            "trace-ascii",
            "unix-socket",
            "write-out",
            "expect100-timeout",
            "happy-eyeballs-timeout-ms",
        ),
    }
) - {"config"}
_IGNORED = frozenset(
    {
        *("anyauth", "basic", "cert-status", "create-dirs", "digest", "fail", "fail-early", "fail-with-body", "false-start"),
        *(
            "http0.9",
            "http1.0",
            "http1.1",
            "http2",
            "http2-prior-knowledge",
            "http3",
            "http3-only",
            "include",
            "insecure",
            "ipv4",
        ),
        *(
            "ipv6",
            "junk-session-cookies",
            "list-only",
            "location",
            "no-alpn",
            "no-buffer",
            "no-keepalive",
            "no-npn",
            "no-progress-meter",
        ),
        *("no-sessionid", "parallel", "parallel-immediate", "progress-bar", "proxy-insecure", "proxytunnel", "raw"),
        *("remote-header-name", "remote-name", "remote-name-all", "remote-time", "remove-on-error", "retry-all-errors"),
        *(
            "retry-connrefused",
            "show-error",
            "silent",
            "ssl",
            "ssl-reqd",
            "styled-output",
            "tcp-fastopen",
            "tcp-nodelay",
            "tlsv1",
        ),
        *("tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3", "tr-encoding", "trace-time", "verbose", "compressed-ssh", "disable"),
    }
)
_SHORT_WORDS = {
    "-o": "output",
    "-m": "max-time",
    "-x": "proxy",
    "-w": "write-out",
    "-E": "cert",
    "-c": "cookie-jar",
    "-D": "dump-header",
    "-y": "speed-time",
    "-Y": "speed-limit",
    "-U": "proxy-user",
    "-C": "continue-at",
}
_SHORT = frozenset("01246afijklLNOpqRsSvZ#")
_UNREAD = {
    "config": "more options stand in another file",
    "-K": "more options stand in another file",
    "continue-at": "where to go on depends on a file",
    "-C": "where to go on depends on a file",
    "netrc": "a password stands in another file",
    "-n": "a password stands in another file",
    "location-trusted": "it may send the password on to other hosts",
    "time-cond": "a date is compared",
    "-z": "a date is compared",
    "negotiate": "what is sent depends on the answer",
    "ntlm": "what is sent depends on the answer",
}
"""What makes a request another one, in a way that can't be told here."""


def options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Give each option that says something of a request, by its long name, with its word; a URL as `url`.

    Raises ValueError with a sentence for one that is not known, or can't be told.
    """
    rest = iter(words)
    literal = False
    for word in rest:
        if literal or not word.startswith("-") or word == "-":
            yield "url", word
        elif word == "--":
            literal = True
        elif word.startswith("--"):
            yield from _long(word[2:], rest)
        else:
            yield from _short(word[1:], rest)


def _long(name: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    if name in _UNREAD:
        raise ValueError(f"--{name} is not read: {_UNREAD[name]}")
    if name in TAKES_A_WORD:
        yield name, _next(f"--{name}", rest)
    elif name in FLAGS:
        yield name, ""
    elif name in _IGNORED_WORDS:
        _next(f"--{name}", rest)
    elif name not in _IGNORED and name.removeprefix("no-") not in _IGNORED | FLAGS:
        raise ValueError(f"--{name} is no option of curl that is known here, leave it out if it says nothing of what is sent")


def _short(letters: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Several may stand together; the word of the last may follow at once."""
    while letters:
        short, letters = f"-{letters[0]}", letters[1:]
        if short in _UNREAD:
            raise ValueError(f"{short} is not read: {_UNREAD[short]}")
        if short in MEANT and MEANT[short] in FLAGS:
            yield MEANT[short], ""
        elif short in MEANT:
            yield MEANT[short], letters or _next(short, rest)
            return
        elif short in _SHORT_WORDS:
            _ = letters or _next(short, rest)
            return
        elif short == "-:":
            yield "next", ""
        elif short[1] not in _SHORT:
            raise ValueError(f"{short} is no option of curl that is known here, leave it out if it says nothing of what is sent")


def _next(option: str, rest: Iterator[str]) -> str:
    word = next(rest, None)
    if word is None:
        raise ValueError(f"{option} needs a word after it")
    return word
