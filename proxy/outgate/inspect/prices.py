"""What a model's answer costs, by the price table that came with genai-prices: never by a newer one from a network."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_MOST: Final = 10**15
_NAME: Final = 200
_CONTEXT: Final = ("service_tier", "speed")
"""What an answer says of itself that changes its price."""


def cost_micros(  # noqa: PLR0913  # what a price depends on
    *, host: str, path: str, service: str, model: str, usage: Mapping[str, Any], flavors: tuple[str, ...], at: datetime
) -> int | None:
    """Millionths of a US dollar, rounded up; None where the table can't tell.

    `usage` is the provider's own account of it; `flavors` are the forms that it may have, the most likely first. Whose prices
    hold: who answers at that host, else the catalog's service of the same name, else who makes the model.
    """
    model = model[:_NAME].lower()
    provider = _provider(host, path, service, model)
    info = _model(provider.id, model) if provider is not None and model else None
    if info is None:
        return None
    answer = {"model": model, "modelVersion": model, "usage": usage, "usageMetadata": usage}
    context = {key: usage[key] for key in _CONTEXT if isinstance(usage.get(key), str)}
    for flavor in flavors:
        try:
            _, counted = provider.extract_usage(answer, api_flavor=flavor)
            return _micros(info.calc_price(counted, provider, genai_request_timestamp=at, price_context=context).total_price)
        except (ValueError, LookupError, TypeError, ArithmeticError):
            continue  # it has another form, or counts that contradict each other
    return None


def warm() -> None:
    """Read the table now, rather than while a request waits for it: that takes half a second, and tens of megabytes."""
    _snapshot()


def _micros(total: Decimal) -> int | None:
    micros = (total * 1_000_000).to_integral_value(ROUND_CEILING)
    return int(micros) if 0 <= micros <= _MOST else None


def _snapshot() -> Any:
    from genai_prices.data_snapshot import get_snapshot  # see `warm`: a start must not wait for it

    return get_snapshot()


def _provider(host: str, path: str, service: str, model: str) -> Any:
    start = "/".join(path.split("/", 7)[:7])[:_NAME]
    return _at(f"https://{host}{start}") or _of_service(service) or _maker(model)


# The library remembers every name that it was ever asked for. An agent chooses names, so what we remember is bounded.


@lru_cache(maxsize=256)
def _at(url: str) -> Any:
    return next((provider for provider in _snapshot().providers if re.match(provider.api_pattern, url)), None)


def _of_service(service: str) -> Any:
    return next((provider for provider in _snapshot().providers if provider.id == service), None)


@lru_cache(maxsize=256)
def _maker(model: str) -> Any:
    makers = (provider for provider in _snapshot().providers if provider.model_match is not None)
    return next((provider for provider in makers if provider.model_match.is_match(model)), None) if model else None


@lru_cache(maxsize=256)
def _model(provider: str, model: str) -> Any:
    providers = _snapshot().providers
    return next(p for p in providers if p.id == provider).find_model(model, all_providers=providers)
