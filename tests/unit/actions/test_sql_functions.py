import pytest

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.sql_functions import done_by


@pytest.mark.parametrize(
    ("name", "access"),
    [
        ("pg_read_file", Access.EXECUTE),
        ("LO_EXPORT", Access.EXECUTE),
        ("dblink_exec", Access.EXECUTE),
        ("pg_terminate_backend", Access.ADMIN),
        ("set_config", Access.ADMIN),
        ("xp_cmdshell", Access.EXECUTE),
        ("load_file", Access.EXECUTE),
        ("url", Access.SEND),
        ("s3Cluster", Access.SEND),
        ("http_post", Access.SEND),
        ("SYSTEM$CANCEL_QUERY", Access.EXECUTE),
        ("query_to_xml", Access.EXECUTE),
        ("nextval", Access.WRITE),
        ("pg_sleep", Access.EXECUTE),
        ("purge_old_rows", Access.DELETE),
        ("do_it", Access.EXECUTE),
        ("get_anything", Access.EXECUTE),
    ],
)
def test_a_function_that_does_more_than_compute_is_told(name, access):
    found = done_by(name)
    assert found is not None
    assert found[0] is access
    assert found[1] >= Tier.T1


@pytest.mark.parametrize(
    "name",
    ["json_build_object", "jsonb_set", "array_remove", "regexp_replace", "st_distance", "toStartOfHour", "uniqExact", "to_tsquery",
     "pg_typeof", "pg_total_relation_size", "sha256", "strftime", "generate_series", "JSONExtractString", "ROW_NUMBER", "is_valid"],
)  # fmt: skip
def test_a_function_that_only_computes_is_none(name):
    assert done_by(name) is None
