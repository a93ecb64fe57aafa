from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

from outgate.inspect import prices

AT = datetime(2026, 11, 1, tzinfo=UTC)


def cost(model, *, host="api.openai.com", service="", **counts):
    usage = counts or {"prompt_tokens": 1000, "completion_tokens": 0}
    return prices.cost_micros(
        host=host, path="/v1/chat/completions", service=service, model=model, usage=usage, flavors=("chat",), at=AT
    )


def test_a_fraction_of_a_millionth_is_a_whole_one():
    assert cost("gpt-4o-mini", prompt_tokens=1, completion_tokens=0) == 1


def test_what_nobody_lists_has_no_price():
    assert cost("no-such-model") is None
    assert cost("no-such-model", host="a.test") is None
    assert cost("") is None
    assert cost("gpt-4o", host="a.test", nothing=1) is None


def test_a_faster_tier_costs_what_it_costs():
    fast = cost("gpt-4.1", prompt_tokens=1000, completion_tokens=0, service_tier="priority")
    assert fast > cost("gpt-4.1")


def test_names_that_agents_make_up_are_not_kept():
    for number in range(1000):
        cost(f"gpt-4o-{number}", host=f"h{number}.test")
    assert max(prices._model.cache_info().currsize, prices._maker.cache_info().currsize, prices._at.cache_info().currsize) <= 256


def test_a_start_does_not_read_the_table():
    code = "import sys, outgate.inspect.usage; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
