"""Who is told of approvals: the settings, their secrets read from files, made into a notifier."""

from __future__ import annotations

import os
import random
import ssl
import stat
import time
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, Problem, UnavailableError
from outgate.notify.notifier import Means, Notifier
from outgate.notify.ntfy import Ntfy
from outgate.notify.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from outgate.net.upstream import Trust
    from outgate.notify.notifier import Place
    from outgate.ports import Alarm
    from outgate.settings import Settings
    from outgate.telemetry.metrics import Metrics

_LONGEST = 1024
_OTHERS = stat.S_IROTH | stat.S_IWOTH


def notifier(settings: Settings, metrics: Metrics, alarm: Alarm, trusted: Callable[[str], Trust]) -> Notifier:
    """Make one, not started. `trusted` says what the connection to a host is verified with. Raises ConfigError."""
    means = Means(
        now=time.time,
        jitter=random.SystemRandom().random,
        tls=lambda host: context_of(trusted(host)),
        counted=metrics.notified,
        alarm=alarm,
    )
    return Notifier(tuple(_places(settings)), means)


def _places(settings: Settings) -> Iterator[Place]:
    for hook in settings.webhooks:
        yield Webhook(url=hook.url, secret=secret_in(hook.secret_file))
    for topic in settings.ntfy:
        token = secret_in(topic.token_file).decode("latin-1") if topic.token_file else ""
        yield Ntfy(url=topic.url, topic=topic.topic, token=token)


def secret_in(path: Path) -> bytes:
    """The bytes in a file that only its owner and group read, without the line's end. Raises ConfigError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            mode, said = os.fstat(fd).st_mode, file.read(_LONGEST + 1).strip()
    except OSError as error:
        raise ConfigError(Problem(source=str(path), message=f"can't be read: {error.strerror or error}")) from error
    if mode & _OTHERS:
        raise ConfigError(Problem(source=str(path), message="others may read or write this secret, run chmod o= on it"))
    if not 0 < len(said) <= _LONGEST:
        raise ConfigError(Problem(source=str(path), message=f"holds no secret: 1 to {_LONGEST} bytes, drawn at random"))
    return said


def context_of(trust: Trust) -> ssl.SSLContext:
    """Verify as an upstream is verified. Raises UnavailableError where what it is verified with is gone."""
    try:
        context = ssl.create_default_context(cafile=str(trust.ca))
        if trust.client_cert is not None:
            context.load_cert_chain(trust.client_cert)
    except OSError as error:
        raise UnavailableError(f"{trust.ca}: {error.strerror or error}") from error
    return context
