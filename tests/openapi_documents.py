"""Documents for tests."""

from outgate.actions.openapi.described import read_text
from outgate.actions.openapi.draft import imported

CRM = """
openapi: 3.1.0
info: {title: Acme CRM API, version: "2.1"}
servers: [{url: "https://crm.acme.example/v1"}]
paths:
"""


def crm(paths, more=""):
    """A document with these paths, each line of them as it stands below `paths`."""
    return CRM + "\n".join(f"  {line}" for line in paths.strip("\n").splitlines()) + f"\n{more}"


def draft(text, **more):
    """The service file that a document gives, as a value."""
    return imported(read_text(text, "crm.yaml"), **more).drafts[0].value


def operations(paths, more="", **said):
    return draft(crm(paths, more), **said)["operations"]
