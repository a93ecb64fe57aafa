from policies import CATALOG

from outgate.policy.form import FORM, MATCH, policy_schema
from outgate.policy.matching import KEYS


def test_the_schema_names_every_key_and_refuses_others():
    schema = policy_schema()
    assert set(schema["properties"]) == set(FORM.keys)
    assert schema["additionalProperties"] is False
    rule = schema["properties"]["rules"]["items"]
    assert set(rule["required"]) == {"id", "effect"}
    assert rule["properties"]["effect"]["enum"] == ["allow", "throttle", "escalate", "sandbox", "block"]


def test_every_key_of_match_has_a_form_and_a_reader():
    assert set(MATCH.keys) == set(KEYS)


def test_the_schema_is_json():
    import json

    assert json.loads(json.dumps(policy_schema()))["$schema"].startswith("https://json-schema.org/")
    assert CATALOG.services()
