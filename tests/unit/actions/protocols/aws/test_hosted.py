"""What customers run at AWS: only the method speaks, and it is a guess."""

import pytest
from asked import asked
from aws_requests import action, actions, catalog, names

from outgate.actions.action import Access
from outgate.actions.identify import wants_body
from outgate.intake.request import UnreadBody

API = "https://a1.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("line", "said", "access"),
    [
        (f"GET {API}/x", {}, Access.READ),
        (f"GET {API}/x?page=2", {}, Access.READ),
        (f"GET {API}/x", {"text": "body"}, Access.UNKNOWN),
        (f"GET {API}/x?do=deleteUser", {}, Access.UNKNOWN),
        (f"POST {API}/x", {"json": {}}, Access.UNKNOWN),
        ("GET https://a1.lambda-url.eu-west-1.on.aws/", {}, Access.READ),
    ],
)
def test_it_is_a_read_only_where_nothing_speaks_against_it(line, said, access):
    found = action(line, **said)
    assert (found.access, found.mapped) == (access, False)


def test_it_has_the_name_of_what_it_runs_on():
    assert (action(f"POST {API}/x").name, action(f"POST {API}/x").resource) == (
        "aws.execute-api.POST",
        "a1.execute-api.eu-west-1.amazonaws.com/x",
    )


def test_appsync_speaks_graphql():
    line = "POST https://a1.appsync-api.eu-west-1.amazonaws.com/graphql"
    found = actions(line, json={"query": "mutation { deleteOrder(id: 1) { id } listOrders { id } }"})
    assert [one.name for one in found] == ["aws.graphql.mutation.deleteOrder", "aws.graphql.mutation.listOrders"]
    assert names(line, text="{") == ["aws.unreadable"]
    assert wants_body(asked(line, body=UnreadBody(length=9)), catalog())
