"""Where the files are that come with Outgate: rules, services, policies, trust."""

from __future__ import annotations

from pathlib import Path

from outgate.errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = Path(__file__).parents[3]


def shipped(*parts: str) -> Path:
    """Give the path of a shipped file or folder: from the wheel, else from the checkout around it.

    Raises ConfigError for what is in neither: an installation without its rules must not start.
    """
    found = _PACKAGE.joinpath("_shipped", *parts)
    if found.exists():
        return found
    beside = _CHECKOUT.joinpath(*parts)
    if (_CHECKOUT / "pyproject.toml").exists() and beside.exists():
        return beside
    raise ConfigError(f"'{'/'.join(parts)}' is missing from this installation, install Outgate again")
