"""What was created in the sandbox: each agent's own, in memory, and no more than fits."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.intake.bodies import JsonValue

type Place = tuple[str, ...]
"""Where things of one kind are: service, collection, and what is around it (`github`, `issues`, `acme`, `site`)."""
type Item = dict[str, JsonValue]

AGENTS = 1024
ITEMS = 10_000
"""Of one agent."""
AGENT_BYTES = 16 * 2**20
ALL_BYTES = 128 * 2**20


@dataclass(slots=True)
class _Drawer:
    """`items` are by key, oldest first; None for what was deleted."""

    items: dict[str, Item | None] = field(default_factory=dict)
    made: int = 0


@dataclass(slots=True)
class Shelf:
    """One agent's. What was not used for longest is forgotten first, as if it had never been there."""

    most_items: int = ITEMS
    most_bytes: int = AGENT_BYTES
    bytes: int = 0
    answers: int = 0
    _drawers: dict[Place, _Drawer] = field(default_factory=dict)
    _sizes: OrderedDict[tuple[Place, str], int] = field(default_factory=OrderedDict)

    def put(self, place: Place, key: str, item: Item) -> bool:
        """Keep it, in place of what had its key. False: it is larger than all that fits."""
        return self._put(place, key, item)

    def get(self, place: Place, key: str) -> Item | None:
        """What is kept under a key."""
        drawer = self._drawers.get(place)
        if drawer is None or key not in drawer.items:
            return None
        self._sizes.move_to_end((place, key))
        return drawer.items[key]

    def all(self, place: Place) -> list[tuple[str, Item]]:
        """All of one kind with their keys, oldest first."""
        drawer = self._drawers.get(place)
        return [] if drawer is None else [(key, item) for key, item in drawer.items.items() if item is not None]

    def remove(self, place: Place, key: str) -> None:
        """Delete it. That it was deleted is remembered, also where it was never here."""
        self._put(place, key, None)

    def removed(self, place: Place, key: str) -> bool:
        """Whether it was deleted, and not made again since."""
        drawer = self._drawers.get(place)
        return drawer is not None and key in drawer.items and drawer.items[key] is None

    def known(self, place: Place) -> bool:
        """Whether something of this kind was ever here."""
        return place in self._drawers

    def number(self, place: Place) -> int:
        """The number that the next of this kind has, from 1."""
        drawer = self._drawers.get(place)
        return 1 if drawer is None else drawer.made + 1

    def _put(self, place: Place, key: str, item: Item | None) -> bool:
        size = len(json.dumps(item)) + len(key) + sum(map(len, place))
        if size > self.most_bytes:
            return False
        drawer = self._drawers.setdefault(place, _Drawer())
        drawer.made += key not in drawer.items
        drawer.items[key] = item
        self.bytes += size - self._sizes.pop((place, key), 0)
        self._sizes[place, key] = size
        while self.bytes > self.most_bytes or len(self._sizes) > self.most_items:
            self._forget(*next(iter(self._sizes)))
        return True

    def _forget(self, place: Place, key: str) -> None:
        self.bytes -= self._sizes.pop((place, key))
        del self._drawers[place].items[key]
        if not self._drawers[place].items:
            del self._drawers[place]


class Shelves:
    """All agents'. Where there are too many, or too much is kept, who did not ask for longest starts anew."""

    def __init__(self, *, agents: int = AGENTS, most_bytes: int = ALL_BYTES) -> None:
        self._most_agents = agents
        self._most_bytes = most_bytes
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()

    def of(self, agent: str) -> Shelf:
        """The agent's own shelf."""
        shelf = self._shelves.setdefault(agent, Shelf())
        self._shelves.move_to_end(agent)
        while len(self._shelves) > 1 and self._too_much():
            self._shelves.popitem(last=False)
        return shelf

    def _too_much(self) -> bool:
        return len(self._shelves) > self._most_agents or sum(shelf.bytes for shelf in self._shelves.values()) > self._most_bytes
