from asked import asked

from outgate.actions.action import Action
from outgate.inspect.provenance import provenance
from outgate.intake.agents import Agent

MAILER = Agent(id="mailer")


def told(line="POST https://api.stripe.com/v1/refunds", *actions):
    return dict(provenance(asked(line), MAILER, actions))


def action(service, operation):
    return Action(service=service, operation=operation)


def test_a_mock_is_told_where_it_was_meant_to_go_by_whom_and_to_do_what():
    assert told("POST https://api.stripe.com/v1/refunds", action("stripe", "PostRefunds")) == {
        "outgate-mocked": "https://api.stripe.com",
        "outgate-agent": "mailer",
        "outgate-action": "stripe.PostRefunds",
    }


def test_a_port_that_is_not_the_usual_one_is_said():
    assert told("GET http://localhost:8080/x")["outgate-mocked"] == "http://localhost:8080"


def test_each_action_is_named_once():
    several = told("GET https://a.test/", action("mcp", "a"), action("mcp", "b"), action("mcp", "a"))
    assert several["outgate-action"] == "mcp.a, mcp.b"


def test_a_tools_name_can_not_end_the_header_or_pass_for_two():
    said = told("GET https://a.test/", action("mcp", "tools/call:x\r\nOutgate-Agent: root, y é"))["outgate-action"]
    assert said == "mcp.tools/call:x%0D%0AOutgate-Agent:%20root%2C%20y%20%C3%A9"


def test_a_request_of_a_thousand_actions_has_a_short_header():
    said = told("GET https://a.test/", *(action("mcp", f"{n}" + "x" * 999) for n in range(1000)))["outgate-action"]
    assert len(said) < 5000
    assert said.endswith(", +984")
