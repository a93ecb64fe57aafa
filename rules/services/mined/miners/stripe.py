"""Stripe: methods and paths of its SDK; the operationId of its API description follows from both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from miners.python_source import calls, functions, keyword, template, text
from write import Level, Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MONEY = ("amount money args.amount in args.currency",)
_LIMIT = ("limit int query.limit",)
_LISTS = ("list", "search")
"""How the SDK's functions begin that give many."""
_PAYING = curated(
    {
        "m": """
            PostRefunds PostPayouts PostTransfers PostCharges PostPaymentIntents PostTopups PostTransfersId*
            PostChargesCharge* PostPaymentIntentsIntent* PostPayoutsPayout* PostInvoicesInvoicePay PostTreasuryOutbound*
            PostIssuing*Approve PostCreditNotes PostQuotesQuoteAccept PostV2MoneyManagement* PostApplicationFees*Refund*
            PostTestHelpersTreasury*""",
        "s": "PostEphemeralKeys GetIssuingCardsCard GetReportingReportRuns* GetSigma* PostAccountLinks PostAccountSessions*",
        "i": "DeleteAccountsAccount DeleteCustomersCustomer PostPaymentIntentsIntentCapture PostInvoicesInvoiceVoid",
        "e": "PostWebhookEndpoints* PostV2CoreEventDestinations*",
        "u": "PostAccountsAccountReject PostV2CoreAccountsIdClose",
    }
)


def mine(archive: Path) -> Iterable[Part]:
    found: dict[tuple[str, str], Level] = {}
    for _, source in members(archive, r"stripe/.*_service\.py"):
        for _, function in functions(source):
            for called, call in calls(function):
                path = template(call.args[1]) if called.startswith("_request") and len(call.args) > 1 else None
                method = text(call.args[0]) if path else None
                if path and method and text(keyword(call, "base_address")) != "connect":
                    found[method.upper(), path] = "l" if method.upper() == "GET" and function.name.startswith(_LISTS) else ""
    operations = (_operation(method, path, level) for (method, path), level in sorted(found.items()))
    yield Part(service="stripe", operations=tuple(operations))


def _operation(method: str, path: str, level: Level) -> Mined:
    name = operation_id(method, path)
    params = _MONEY if name in {"PostRefunds", "PostPayouts", "PostTransfers", "PostCharges", "PostPaymentIntents"} else ()
    listed = _LIMIT if method == "GET" and not path.endswith("}") else ()
    return Mined(name=name, method=method, template=path, level=level, marks=_PAYING(name), params=(*params, *listed))


def operation_id(method: str, path: str) -> str:
    """Give what Stripe's own description calls it: `PostRefundsRefundCancel` for POST /v1/refunds/{refund}/cancel."""
    plain = re.sub(r"^/v1(?=/)", "", path)
    return method.title() + "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", plain))
