"""Services by hand, and what a request to one of them is in a body language: for tests of the languages alone."""

from outgate.actions.action import Access, Action, Tier
from outgate.actions.arguments import Arguments
from outgate.actions.languages import Envelope
from outgate.actions.operation import Told
from outgate.actions.router import Router
from outgate.actions.service import Auth, Service


def service(name="acme", **said):
    return Service(name=name, speaks="rest", hosts=(), operations=(), auth=Auth(), routes=Router(), otherwise={}, **said)


def envelope(request, *, of=None, told=None, json=True, instance="", params=None):
    of = of or service()
    action = Action(
        service=of.name,
        operation="carrier",
        resource=request.path[1:],
        access=Access.EXECUTE,
        tier=Tier.T1,
        instance=instance,
        params=params or {},
    )
    arguments = Arguments(request, json=json)
    return Envelope(
        action=action, request=request, arguments=arguments, told=told or Told(language="x"), service=of, inner=lambda _: ()
    )
