"""Forms in parts, where there is one way to read them."""

import time

import pytest

from outgate.intake.bodies import Undecodable
from outgate.intake.media import Media
from outgate.intake.multipart import MOST_PARTS, fields_of, parts_of

B = "----form7MA4YWxkTrZu0gW"
MEDIA = Media(kind="multipart/form-data", params=(("boundary", B),))


def part(name='name="a"', content=b"1", *lines):
    head = "\r\n".join([f"Content-Disposition: form-data; {name}", *lines])
    return head.encode() + b"\r\n\r\n" + content


def body(*parts, boundary=B, end="--\r\n"):
    return b"".join(f"--{boundary}\r\n".encode() + one + b"\r\n" for one in parts) + f"--{boundary}{end}".encode()


def read(*parts, **said):
    return fields_of(MEDIA, body(*parts, **said))


def test_fields_in_their_order_as_often_as_they_came():
    found = read(part(), part('name="b"', "ü".encode(), "Content-Type: text/plain; charset=utf-8"), part(content=b"2"))
    assert found == (("a", "1"), ("b", "ü"), ("a", "2"))
    assert read(part(content=b""), part('name=""'), end="--") == (("a", ""), ("", "1"))
    assert read(part(content=b"two\r\nlines\r\n\r\nand more")) == (("a", "two\r\nlines\r\n\r\nand more"),)


@pytest.mark.parametrize("name", ['name="a"; filename="x.png"', 'name=a; filename=""', "name=a; filename*=UTF-8''x"])
def test_a_file_is_nobody_s_parameter(name):
    assert read(part(name, b"\x89PNG\xff", "Content-Type: image/png")) == (("a", None),)
    assert read(part(name, b"\xff", "Content-Type: text/plain; charset=cp037")) == (("a", None),)


@pytest.mark.parametrize(
    "one",
    [
        part('filename="x"'),
        part('name="a"; name="b"'),
        part('name="a"; filename="x"; filename="y"'),
        part("name*=UTF-8''a"),
        part('name="a"; size=3'),
        part(r'name="a\"b"'),
        part('name="a" x'),
        part('name="a', b"1"),
        part('name="_charset_"', b"utf-16"),
        b"Content-Disposition: attachment; name=a\r\n\r\n1",
        b"Content-Disposition: form-data\r\n\r\n1",
        b"Content-Type: text/plain\r\n\r\n1",
        b"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n1",
        b"Content-Disposition: form-data; name=a\n\n1",
        b"Content-Disposition : form-data; name=a\r\n\r\n1",
        b" Content-Disposition: form-data; name=a\r\n\r\n1",
        b"Content-Disposition: form-data;\r\n name=a\r\n\r\n1",
        b"Content-Disposition: form-data; name=a",
        b"\r\n1",
        b"Content-Disposition: form-data; name=\xff\r\n\r\n1",
        part('name="a"', b"MQ==", "Content-Transfer-Encoding: base64"),
        part('name="a"', b"=31", "Content-Transfer-Encoding: quoted-printable"),
        part('name="a"', b"1", "Content-Length: 2"),
        part('name="a"', b"1", "X-Other: 2"),
        part('name="a"', b"1", "Content-Type: multipart/mixed; boundary=inner"),
        part('name="a"', b"1", "Content-Type: text/plain; charset=utf-16"),
        part('name="a"', b"1", "Content-Type: none"),
        part('name="a"', b"\xff"),
        part('name="a"' + "; x" * 4000, b"1"),
    ],
)
def test_a_part_that_servers_read_differently(one):
    assert isinstance(read(part(), one), Undecodable)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        body(),
        b"preamble\r\n" + body(part()),
        body(part()) + b"epilogue",
        body(part()) + b"\r\n",
        body(part()).replace(b"\r\n", b"\n"),
        body(part())[:-4],
        body(part(), boundary=B + "x"),
        body(part(content=b"--" + B.encode())),
        body(part(content=b"\r\n--" + B.encode() + b"x")),
        body(part()).replace(b"--" + B.encode() + b"\r\n", b"--" + B.encode() + b" \r\n", 1),
        body(*[part()] * (MOST_PARTS + 1)),
    ],
)
def test_a_body_that_can_be_cut_in_two_ways(content):
    assert isinstance(fields_of(MEDIA, content), Undecodable)


@pytest.mark.parametrize("boundary", ["", "a b", "a\x00b", "b" * 71, "ü", 'a"b'])
def test_a_boundary_is_one_by_its_form(boundary):
    media = Media(kind="multipart/form-data", params=(("boundary", boundary),))
    assert isinstance(fields_of(media, body(part(), boundary=boundary)), Undecodable)
    assert isinstance(fields_of(Media(kind="multipart/form-data"), body(part())), Undecodable)


def test_parts_are_what_stands_between():
    assert parts_of(body(b"one", b"two"), B.encode()) == [b"one", b"two"]


def test_none_takes_long():
    began = time.process_time()
    read(part('name="a"' + ';name="a"' * 800))
    read(part('name="' + "a;" * 4000))
    fields_of(MEDIA, b"--" + B.encode() + b"\r\n" + b"\r\n" * 1_000_000)
    assert time.process_time() - began < 0.5
