"""How a group of commands lists them: each by its whole first sentence."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

_WHOLE = 400
"""Longer than any of our sentences: the lines are wrapped, never cut."""


class Commands(TyperGroup):
    """For `typer.Typer(cls=…)`. `Any` where the base class names private types."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the section."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=_WHOLE)) for name, one in named if one is not None])
