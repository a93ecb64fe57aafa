import gzip

import pytest
from asked import asked

from outgate.actions.protocols import soap
from outgate.actions.router import Router
from outgate.actions.service import Auth, Service
from outgate.intake.request import UnreadBody, WholeBody

LINE = "POST https://erp.acme.test/orders"
OLD, NEW = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
ERP = Service(name="erp", speaks="soap", hosts=(), operations=(), auth=Auth(), routes=Router(), otherwise={})


def message(inner, space=OLD, before=""):
    return f'{before}<s:Envelope xmlns:s="{space}"><s:Header><x/></s:Header><s:Body>{inner}</s:Body></s:Envelope>'


def old(action='"urn:acme#CancelOrder"'):
    return {"content-type": "text/xml; charset=utf-8"} | ({} if action is None else {"soapaction": action})


def new(action="urn:acme#CancelOrder"):
    return {"content-type": "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")}


def one(text, headers, service=ERP, **asking):
    (action,) = soap.identify(asked(LINE, headers=headers, text=text, **asking), service)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


CANCEL = '<a:CancelOrder xmlns:a="urn:acme"><a:id>7</a:id></a:CancelOrder>'


@pytest.mark.parametrize(
    "action", ['"urn:acme#CancelOrder"', "urn:acme/CancelOrder", '""', "", None, "CancelOrder", "urn:a:CancelOrderRequest"]
)
def test_the_operation_is_the_first_thing_in_the_body(action):
    assert said(one(message(CANCEL), old(action))) == ("erp.CancelOrder", "write", "T1", True)


@pytest.mark.parametrize("action", ["urn:acme/CancelOrder", ""])
def test_so_in_the_later_version(action):
    got = one(message("<DeleteOrderRequest/>" if not action else CANCEL, NEW), new(action))
    assert got.operation == ("CancelOrder" if action else "DeleteOrderRequest")


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        (message(CANCEL), old('"urn:acme#GetOrder"')),
        (message(CANCEL, NEW), new("urn:acme#GetOrder")),
        (message(CANCEL, NEW), new() | {"soapaction": "urn:acme#GetOrder"}),
        (message(CANCEL + CANCEL), old()),
        (message("<GetOrder/>" + CANCEL), old('""')),
        (message(""), old()),
        (message("text"), old()),
        (f'<s:Envelope xmlns:s="{OLD}"><s:Body>{CANCEL}</s:Body><s:Body>{CANCEL}</s:Body></s:Envelope>', old()),
        (f'<s:Envelope xmlns:s="{OLD}"><Body>{CANCEL}</Body></s:Envelope>', old()),
        (f"<Envelope><Body>{CANCEL}</Body></Envelope>", old()),
        (message(CANCEL, "urn:other"), old()),
        (message(CANCEL, before="<!DOCTYPE x>"), old()),
        (message("<a>&e;</a>", before='<!DOCTYPE x [<!ENTITY e "DeleteAll">]>'), old()),
        (message(CANCEL, before="<?xml-stylesheet href='x'?>"), old()),
        (message(CANCEL) + "<more/>", old()),
        (message(CANCEL)[:-3], old()),
        (message("<x>" * 70 + "</x>" * 70), old('""')),
        (message("<Übung/>"), old('""')),
        ('{"a": 1}', {"content-type": "application/json"}),
        (message(CANCEL), {"content-type": "text/xml; charset=utf-16", "soapaction": '""'}),
        (message(f"<CancelOrder>{'x' * soap.LARGEST}</CancelOrder>"), old()),
        ("", old()),
    ],
)
def test_what_does_not_name_one_operation_once_is_unreadable(text, headers):
    request = asked(LINE, headers=headers, body=WholeBody(text.encode()))
    (action,) = soap.identify(request, ERP)
    assert said(action) == ("erp.unreadable", "unknown", "T2", False)


def test_one_in_another_charset_than_it_says_is_unreadable():
    content = message("<GetOrder/>", before='<?xml version="1.0" encoding="utf-16"?>').encode("utf-16")
    (action,) = soap.identify(asked(LINE, headers=old('""'), body=WholeBody(content)), ERP)
    assert action.operation == "unreadable"


def test_nor_is_one_read_that_says_another_charset_of_itself():
    assert one(message(CANCEL, before='<?xml version="1.0" encoding="utf-7"?>'), old()).operation == "unreadable"
    assert one(message(CANCEL, before='<?xml version="1.0" encoding="UTF-8"?>'), old()).operation == "CancelOrder"


def test_one_that_is_compressed_is_read():
    request = asked(LINE, headers=old() | {"content-encoding": "gzip"}, body=WholeBody(gzip.compress(message(CANCEL).encode())))
    assert soap.identify(request, ERP)[0].operation == "CancelOrder"


def test_one_that_nobody_read_is_unreadable():
    assert one("", old(), body=UnreadBody(10)).operation == "unreadable"


def test_a_host_that_nobody_declared_is_told_by_its_head():
    assert said(one(message("<GetOrder/>"), old('"GetOrder"'), None)) == ("soap.GetOrder", "unknown", "T2", False)
    assert said(one(message("<DeleteOrder/>", NEW), new("DeleteOrder"), None)) == ("soap.DeleteOrder", "delete", "T2", False)
    assert soap.identify(asked(LINE, headers=old(None), text=message(CANCEL)), None) == ()
    assert soap.identify(asked("GET https://erp.acme.test/orders?wsdl"), ERP) == ()
    assert not soap.speaks(asked(LINE, json={}))


def test_the_body_is_wanted():
    assert soap.wants_body(asked(LINE), ERP, None)
    assert {operation.operation for operation in soap.operations("erp")} == {"unreadable", "*"}
