"""outgate.notify.post"""

from __future__ import annotations

import socket
import ssl

import pytest
from posted import taking

from outgate.errors import ConfigError, UnavailableError
from outgate.notify.post import Post, PostError, checked, send


def post(url):
    return Post(url=url, headers={"X-One": "1"}, body=b"hello")


def test_a_post_arrives_as_it_is():
    with taking() as taker:
        send(post(f"{taker.url}/hook?a=1"), lambda _: taker.tls)
        came = taker.next()
    assert (came.path, came.body, came.headers["x-one"]) == ("/hook?a=1", b"hello", "1")


def test_a_certificate_is_verified():
    with taking(tls=True) as taker:
        send(post(taker.url), lambda _: taker.tls)
        with pytest.raises(PostError, match="CERTIFICATE_VERIFY_FAILED"):
            send(post(taker.url), lambda _: ssl.create_default_context())
        assert taker.next().body == b"hello"
        assert taker.came.empty(), "nothing was sent to whom nobody knows"


def test_a_certificate_for_another_name_is_refused():
    with taking(tls=True) as taker, pytest.raises(PostError, match="CERTIFICATE_VERIFY_FAILED"):
        send(post(taker.url.replace("localhost", "127.0.0.1")), lambda _: taker.tls)


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (401, False), (404, False), (408, True), (429, True), (500, True), (503, True)]
)
def test_a_status_says_whether_to_try_again(status, again):
    with taking(status) as taker, pytest.raises(PostError, match=f"answered {status}") as raised:
        send(post(taker.url), lambda _: taker.tls)
    assert raised.value.again is again


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status):
    with taking(status) as taker:
        with pytest.raises(PostError):
            send(post(taker.url), lambda _: taker.tls)
        taker.next()
        assert taker.came.empty()


def test_who_is_not_there_may_be_later():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PostError, match="can't be reached") as raised:
        send(post(f"http://127.0.0.1:{port}"), lambda _: ssl.create_default_context())
    assert raised.value.again


def test_who_does_not_answer_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(PostError, match="TimeoutError"):
        send(post(f"http://127.0.0.1:{server.getsockname()[1]}"), lambda _: ssl.create_default_context(), timeout=0.05)


def test_who_answers_nonsense_is_an_error_of_ours_to_handle():
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(PostError, match="BadStatusLine"):
            send(post(f"http://127.0.0.1:{server.getsockname()[1]}"), lambda _: ssl.create_default_context())
        thread.join()


def test_trust_that_is_not_there_is_no_trust():
    def lost(_: str) -> ssl.SSLContext:
        raise UnavailableError("the bundle is gone")

    with pytest.raises(PostError, match="the bundle is gone"):
        send(post("https://localhost:1/"), lost)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://x.example",
        "https://",
        "https://u:p@x.example",
        "https://x.example:port",
        "https://x.exämple",
        "https://x.example/\nX: y",
    ],
)
def test_what_is_no_url_is_said_so(url):
    with pytest.raises(ConfigError, match="is no place to notify"):
        checked(url)


def test_a_token_goes_in_plain_text_to_this_machine_alone():
    assert checked("http://127.0.0.1:8080", secret=True)
    assert checked("http://ntfy.example")
    with pytest.raises(ConfigError, match="use https"):
        checked("http://ntfy.example", secret=True)


def test_a_token_is_in_no_text_of_a_post():
    assert "secret" not in repr(Post(url="https://x.example", headers={"Authorization": "Bearer secret"}, body=b"secret"))
