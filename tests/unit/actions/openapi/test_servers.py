import pytest

from outgate.actions.openapi.references import Reading
from outgate.actions.openapi.servers import Server, given, old_servers_of, servers_of
from outgate.document import parse


def read(text):
    reading = Reading(parse(text, "api.yaml"))
    return servers_of(reading, reading.at("servers")), reading


def urls(*servers):
    return read("servers:\n" + "".join(f"  - {{url: '{url}'}}\n" for url in servers))


@pytest.mark.parametrize(
    ("url", "host", "base"),
    [
        ("https://api.acme.example", "api.acme.example", ""),
        ("https://API.acme.example/", "api.acme.example", ""),
        ("https://api.acme.example:443/v1/", "api.acme.example", "/v1"),
        ("https://api.acme.example:8443/v1", "api.acme.example:8443", "/v1"),
        ("http://localhost:80", "localhost", ""),
        ("http://api.acme.example:443", "api.acme.example:443", ""),
        ("https://{tenant}.acme.example", "{tenant}.acme.example", ""),
        ("https://api.acme.example/{stage}/x", "api.acme.example", "/{_stage}/x"),
        ("http://[::1]:8080/", "[::1]:8080", ""),
    ],
)
def test_a_server_is_a_host_and_what_paths_begin_with(url, host, base):
    servers, reading = urls(url)
    assert servers == (Server(host=host, base=base),)
    assert (reading.faults, reading.notes) == ([], [])
    assert given(url) == servers[0]


def test_variables_with_a_list_of_values_are_filled_in_with_each():
    servers, _ = read(
        "servers: [{url: 'https://{r}.acme.example/{v}', variables: {r: {enum: [eu, us], default: eu}, v: {enum: [v1, v2], default: v1}}}]"
    )
    assert [server.host + server.base for server in servers] == [
        "eu.acme.example/v1",
        "eu.acme.example/v2",
        "us.acme.example/v1",
        "us.acme.example/v2",
    ]


def test_a_variable_within_a_label_is_its_default_and_that_is_told():
    servers, reading = read("servers: [{url: 'https://api-{r}.acme.example', variables: {r: {default: eu}}}]")
    assert servers == (Server(host="api-eu.acme.example"),)
    assert "variable 'r' of the server may be anything" in str(reading.notes[0])


def test_too_many_ways_are_a_fault():
    values = ", ".join(f"v{n}" for n in range(9))
    _, reading = read(
        f"servers: [{{url: 'https://a.test/{{a}}/{{b}}', variables: {{a: {{enum: [{values}]}}, b: {{enum: [{values}]}}}}}}]"
    )
    assert "more than 64 ways" in str(reading.faults[0])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/v1", "names no host, say where it is: --server https://api.example.com"),
        ("ftp://files.acme.example", "is none that Outgate can tell"),
        ("https://user:pw@api.acme.example", "is none that Outgate can tell"),
        ("https://api.acme.example/?x=1", "is none that Outgate can tell"),
        ("https://a_b!.example", "is none that Outgate can tell"),
        ("https://{anything}/v1", "has neither `enum` nor `default`"),
    ],
)
def test_a_server_that_is_none_is_told_with_its_line(url, said):
    servers, reading = urls(url)
    assert servers == ()
    assert said in str(reading.faults[0])
    assert str(reading.faults[0]).startswith("api.yaml:2:")


def test_what_a_person_gives_is_a_server_or_refused():
    with pytest.raises(ValueError, match="write it like https"):
        given("api.acme.example")


def test_swagger_says_it_in_three_words():
    reading = Reading(parse("swagger: '2.0'\nhost: api.acme.example\nbasePath: /v1\nschemes: [https, ws]", "x"))
    assert old_servers_of(reading) == (Server(host="api.acme.example", base="/v1"),)
    reading = Reading(parse("swagger: '2.0'\nhost: api acme", "x"))
    assert old_servers_of(reading) == ()
    assert "is no host" in str(reading.faults[0])
