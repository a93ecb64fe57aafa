from ipaddress import ip_address

import pytest

from outgate.intake.destination import (
    AddressClass,
    address_class,
    canonical_authority,
    canonical_host,
    host_of_address,
    is_address,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("r3---sn-x.googlevideo.com", "r3---sn-x.googlevideo.com"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("xn--fa-hia.de", "xn--fa-hia.de"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[2001:DB8::A]", "2001:db8::a"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("1.2.3.4.example", "1.2.3.4.example"),
    ],
)
def test_a_host_has_one_spelling(text, host):
    assert canonical_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a..",
            "example.com..",
            "-a.test",
            "a-.test",
            "a_b.test",
            "a b",
            "a\t.b",
            "a\n",
            "a\x00.b",
        ),
        *("%65vil.test", "evil%2etest", "evil.test%2f.allowed.test", "u@evil.test", "a:80@evil.test", "evil.test\\@a", "a/b"),
        *("ⓛocalhost", "evil。test", "faß.test", "soft\xadhyphen.test", "\uff11\uff12\uff17.0.0.1", "127。0。0。1", "٣.1.1.1"),
        *("xn--", "xn--a", "xn--abc-", "xn--0.test", "xn--test-", "xn--a-ecp.ru"),
        *(
            "[evil.test]",
            "[[::1]]",
            "[::1",
            "::1]",
            "::1",
            "[v1.x]",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "[::1%lo]",
            "[]",
            "[:::]",
        ),
        *("2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "0", "0x", "256.256.256.256"),
        *("127.0.0.1.5", "1.2.3.4.5", "0x17f000001", "127.0.0.1.", "127.0.0.01", "evil.127", "a.0x7f"),
        *(f"{'a' * 64}.test", ".".join(["a" * 50] * 6)),
    ],
)
def test_what_is_not_one_plain_host_is_refused(text):
    with pytest.raises(ValueError, match=r"host|address"):
        canonical_host(text)


@pytest.mark.parametrize("text", ["xn--ls8h.la", "xn--i-7iq.ws"])
def test_an_a_label_that_stands_for_a_picture_is_refused(text):
    with pytest.raises(ValueError, match="host"):
        canonical_host(text)


def test_a_full_width_name_hidden_in_an_a_label_is_refused():
    label = "xn--" + "\uff41llowed".encode("punycode").decode()
    with pytest.raises(ValueError, match="host"):
        canonical_host(f"{label}.test")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.test", ("a.test", 443)),
        ("a.test:443", ("a.test", 443)),
        ("A.test.:8443", ("a.test", 8443)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 443)),
        ("a.test:65535", ("a.test", 65535)),
    ],
)
def test_an_authority_is_a_host_and_a_port(text, wanted):
    assert canonical_authority(text, 443) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a:0",
        "a:65536",
        "a:-1",
        "a:+443",
        "a:0443",
        "a:443:80",
        "a:\uff14\uff14\uff13",
        "a:",
        "a: 80",
        "a:80 ",
        "[::1]80",
        "a:80\n",
        ":80",
    ],
)
def test_a_port_is_plain_or_refused(text):
    with pytest.raises(ValueError, match=r"port|host|Brackets"):
        canonical_authority(text, 443)


def test_an_address_needs_no_brackets_where_none_are_written():
    assert host_of_address("::1") == "::1"
    assert host_of_address("[::1]") == "::1"
    assert host_of_address("10.0.0.1") == "10.0.0.1"


def test_an_address_is_told_from_a_name():
    assert is_address("::1")
    assert is_address("10.0.0.1")
    assert not is_address("a.test")


CLASSES = {
    AddressClass.GLOBAL: "1.1.1.1 8.8.8.8 93.184.216.34 2606:4700::1 2a00:1450:4001::1 64:ff9b::808:808 ::ffff:8.8.8.8",
    AddressClass.LOOPBACK: "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: "
    "::ffff:0:127.0.0.1 2a00::5efe:7f00:1 2a00::200:5efe:7f00:1",
    AddressClass.PRIVATE: "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fdff::1 fec0::1 64:ff9b::a00:1 ::ffff:10.0.0.1 "
    "2002:a00:1:: 64:ff9b:1::1",
    AddressClass.CGNAT: "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1",
    AddressClass.LINK_LOCAL: "169.254.0.1 169.254.169.253 fe80::1 febf::1",
    AddressClass.METADATA: "169.254.169.254 169.254.170.2 169.254.170.23 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 "
    "fd00:ec2::23 fd20:ce::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::",
    AddressClass.MULTICAST: "224.0.0.1 239.255.255.255 ff02::1 ff0e::1",
    AddressClass.UNSPECIFIED: "0.0.0.0 :: ::ffff:0.0.0.0",
    AddressClass.RESERVED: "0.0.0.1 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 240.0.0.1 "
    "255.255.255.255 100::1 2001::1 2001:db8::1 3fff::1 5f00::1 4000::1 2002:808:808:: ::8.8.8.8",
}


@pytest.mark.parametrize(("address", "wanted"), [(a, kind) for kind, text in CLASSES.items() for a in text.split()])
def test_an_address_is_judged_by_what_it_leads_to(address, wanted):
    assert address_class(ip_address(address)) is wanted
