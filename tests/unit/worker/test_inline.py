"""Everything at once, in the loop."""

from asked import asked
from gated import CATALOG

from outgate.approvals.request import request_digest
from outgate.inspect.examine import examine
from outgate.intake.request import WholeBody
from outgate.policy.answered import answered_of
from outgate.worker.inline import Inline


async def test_it_says_what_the_core_says():
    request, inline = asked("POST https://api.stripe.com/v1/refunds", form="charge=ch_1&amount=5"), Inline()
    assert await inline.actions("coder", request, CATALOG, data=True) == examine(request, CATALOG, data=True)
    assert await inline.digest("coder", request) == request_digest("coder", request)
    answer = (200, (("content-type", "application/json"),), WholeBody(b"[1, 2]"))
    assert await inline.answered("coder", *answer) == answered_of(*answer)
