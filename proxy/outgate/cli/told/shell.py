"""The words of one command line, as a POSIX shell would give them; nothing is run, and nothing is filled in."""

from __future__ import annotations

import re

LONGEST = 1 << 20
"""Characters of a command line."""
_ANSI = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
PROMPT = re.compile(r"\s*(?:[$%>]\s+)?")
"""What stands before a command where it was copied with what a shell showed."""
_ENDS = "|;<>\n"


def is_curl(line: str) -> bool:
    """Whether a line is a curl command."""
    first = PROMPT.sub("", line, count=1).split(maxsplit=1)
    return bool(first) and first[0].rpartition("/")[2] in {"curl", "curl.exe"}


def words(line: str) -> list[str]:
    """Take a command line apart, up to where another command or a redirection begins.

    Names of variables stay as they are written. Raises ValueError with a sentence for an open quote, or a bare `&`.
    """
    if len(line) > LONGEST:
        raise ValueError(f"a command line of more than {LONGEST} characters is not read")
    return _Reading(line.strip()).words()


class _Reading:
    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._found: list[str] = []
        self._word: str | None = None

    def words(self) -> list[str]:
        while self._at < len(self._line) and self._step():
            pass
        self._end()
        return self._found

    def _end(self) -> None:
        if self._word is not None:
            self._found.append(self._word)
        self._word = None

    def _add(self, text: str) -> None:
        self._word = (self._word or "") + text

    def _step(self) -> bool:  # noqa: C901  # one case a character that means something
        """Read on by one thing; False where the command ends."""
        char = self._line[self._at]
        following = self._line[self._at + 1 : self._at + 2]
        if char == "\\":
            self._at += 2
            if following == "\r" and self._line[self._at : self._at + 1] == "\n":
                self._at += 1
            elif following != "\n":
                self._add(following)
        elif char == "'":
            self._add(self._until("'"))
        elif char == '"':
            self._add(self._double())
        elif char == "$" and following == "'":
            self._at += 1
            self._add(self._ansi())
        elif char in " \t\r":
            self._at += 1
            self._end()
        elif char == "&" and following != "&" and self._word is not None:
            raise ValueError("a bare '&' ends a command: put the URL in quotes")
        elif char in _ENDS or char == "&" or (char == "#" and self._word is None):
            if char in "<>" and (self._word or "").isdigit():
                self._word = None
            return False
        else:
            self._add(char)
            self._at += 1
        return True

    def _until(self, quote: str) -> str:
        end = self._line.find(quote, self._at + 1)
        if end < 0:
            raise ValueError(f"a quote is open: {quote} is missing at the end")
        text, self._at = self._line[self._at + 1 : end], end + 1
        return text

    def _double(self) -> str:
        """Within double quotes a backslash is one, but before what means something there."""
        made: list[str] = []
        at = self._at + 1
        while at < len(self._line):
            char, following = self._line[at], self._line[at + 1 : at + 2]
            if char == '"':
                self._at = at + 1
                return "".join(made)
            if char == "\\" and following in {"$", "`", '"', "\\", "\n"}:
                made.append("" if following == "\n" else following)
                at += 2
            else:
                made.append(char)
                at += 1
        raise ValueError('a quote is open: " is missing at the end')

    def _ansi(self) -> str:
        end = self._at + 1
        while end < len(self._line) and self._line[end] != "'":
            end += 2 if self._line[end] == "\\" else 1
        if end >= len(self._line):
            raise ValueError("a quote is open: ' is missing at the end")
        text, self._at = self._line[self._at + 1 : end], end + 1
        return _ANSI.sub(_meant, text)


def _meant(found: re.Match[str]) -> str:
    if found[5] is not None:
        return _LETTERS.get(found[5], found[5] if found[5] in "\\'\"?" else f"\\{found[5]}")
    code = int(found[4], 8) if found[4] else int(found[1] or found[2] or found[3], 16)
    return chr(min(code, 0x10FFFF))
