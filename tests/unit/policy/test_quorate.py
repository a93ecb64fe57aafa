import pytest
from policies import policy

from outgate.keys.people import People, Person
from outgate.policy.quorate import check_people

KEY = ("ssh-ed25519 AAAA",)
PEOPLE = People(
    by_name={
        "alice": Person(name="alice", groups=frozenset({"ops", "finance"}), keys=KEY),
        "bob": Person(name="bob", groups=frozenset({"ops"}), keys=KEY),
        "ann": Person(name="ann", groups=frozenset({"finance"})),
    }
)


def said(approvers, owners=(), people=PEOPLE):
    return [str(problem) for problem in check_people(policy(more=f"approvers: {{x: {approvers}}}"), people, owners)]


@pytest.mark.parametrize(
    "approvers",
    ["{need: 1, of: alice}", "{need: 2, of: group:ops}", "{need: 2, of: [group:finance, bob]}", "{need: 2, of: [alice, bob]}"],
)
def test_enough_people_who_are_known_are_right(approvers):
    assert said(approvers) == []


@pytest.mark.parametrize(
    ("approvers", "problem"),
    [
        ("{need: 1, of: [alice, bobb]}", "nobody is called 'bobb', did you mean 'bob'?"),
        ("{need: 1, of: [alice, group:opps]}", "nobody is in group 'opps', did you mean 'ops'?"),
        ("{need: 2, of: [alice, group:ops, ann], owner: true}", None),
        ("{need: 3, of: group:ops}", "3 are needed and 2 can sign, add people or need fewer"),
        ("{need: 2, of: [alice, group:finance]}", "2 are needed and 1 can sign; ann has no key, add people or need fewer"),
        ("{need: 1, of: ann}", "1 are needed and 0 can sign; ann has no key, add people or need fewer"),
    ],
)
def test_people_who_are_not_there_or_not_enough_are_said_where_it_stands(approvers, problem):
    assert said(approvers) == ([] if problem is None else [f"tried.yaml:5:16: approvers 'x': {problem}"])


def test_one_person_in_two_groups_is_one_person():
    assert "2 are needed and 1 can sign" in said("{need: 2, of: [group:finance, alice]}")[0]


def test_an_owner_does_not_count_for_an_agent_of_hers():
    assert said("{need: 2, of: group:ops}", owners=["alice"]) == [
        "tried.yaml:5:16: approvers 'x': 2 can never be had for an agent of alice's, add people, or owner: true if alice may approve too"
    ]
    assert said("{need: 2, of: group:ops, owner: true}", owners=["alice"]) == []
    assert said("{need: 1, of: group:ops}", owners=["alice", "", "nobody"]) == []


def test_without_anybody_nothing_can_be_approved():
    assert len(said("{need: 1, of: group:ops}", people=People())) == 2
