import pytest

from outgate.cli.told.curl_form import BOUNDARY, Part, part, wrapped


def read(name):
    return f"content of {name}".encode()


@pytest.mark.parametrize(
    ("word", "made"),
    [
        ("a=b", Part(name="a", content=b"b")),
        ("a=b;type=text/plain;charset=utf-8", Part(name="a", content=b"b", kind="text/plain;charset=utf-8")),
        ("a=b;c", Part(name="a", content=b"b;c")),
        ("a=@x/y.png", Part(name="a", content=b"content of x/y.png", file="y.png", kind="image/png")),
        ('a=@y;filename="z.txt"', Part(name="a", content=b"content of y", file="z.txt", kind="text/plain")),
        ("a=@y", Part(name="a", content=b"content of y", file="y", kind="application/octet-stream")),
        ("a=<y;type=x/y", Part(name="a", content=b"content of y", kind="x/y")),
    ],
)
def test_a_field_is_a_part(word, made):
    assert part(word, read, literal=False) == made


def test_nothing_in_a_literal_one_means_anything():
    assert part("a=@b;type=c", read, literal=True) == Part(name="a", content=b"@b;type=c")


def test_parts_are_wrapped_and_no_name_can_end_a_header():
    kind, content = wrapped([Part(name='a"\r\nX: y', content=b"1"), Part(name="b", content=b"2", file="f", kind="x/y")])
    assert kind == f"multipart/form-data; boundary={BOUNDARY}"
    assert (
        content
        == (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a%22%0D%0AX: y"\r\n\r\n1\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="b"; filename="f"\r\nContent-Type: x/y\r\n\r\n2\r\n--{BOUNDARY}--\r\n'
        ).encode()
    )
