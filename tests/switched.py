"""A gate's side of the switch, in a thread: a real switch, a real watch, a real door; what is under way is a list."""

from __future__ import annotations

import asyncio
import threading

from outgate.app.gates import socket_path
from outgate.app.watching import SwitchWatch
from outgate.stores.switch import SwitchFile
from outgate.telemetry.admin import Door, Pages, Rights
from outgate.telemetry.metrics import Metrics


class Watching:
    """`under_way` are agents and the services that they use now. `deaf`: it answers, and never looks at the switch."""

    def __init__(self, state, writer="w1", *, under_way=(), deaf=False):
        self.state, self.writer, self.deaf = state, writer, deaf
        self.under_way = list(under_way)
        self.noted, self.told = [], []
        self._ready, self._over = threading.Event(), None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def cut(self, covers):
        gone = [one for one in self.under_way if covers(*one)]
        self.under_way = [one for one in self.under_way if one not in gone]
        return len(gone)

    async def note(self, what, agent, about):
        self.noted.append((what, about))

    def raise_for(self, error, doing):
        self.told.append((doing, str(error)))

    async def _live(self):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self.watch = SwitchWatch(switch=SwitchFile.open(self.state), engine=self, again=lambda: None, notes=self, alarm=self)
        door = await Door.bind(socket_path(self.state, self.writer), "x", Rights(everything=True), self)
        pages = Pages(
            metrics=Metrics().text, unready=self._ready_page, status=self._refresh, refresh=self._refresh, reload=self._refresh
        )
        await door.open(pages)
        self._ready.set()
        await self._over.wait()
        door.close()

    async def _refresh(self):
        if not self.deaf:
            self.watch.look()
        return {**self.watch.said(), "agents": [agent.id for agent, _ in self.under_way]}

    async def _ready_page(self):
        return []
