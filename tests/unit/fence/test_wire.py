"""Messages arrive whole, with descriptors, and with a sender that the kernel vouches for."""

import os

from outgate.fence.wire import Word, channel, pack, receive, send, unpack


def test_a_message_arrives_as_it_was_sent():
    ours, theirs = channel()
    with ours, theirs:
        send(theirs, Word.STOPPED, number=19, text="wörds\n")
        message = receive(ours)
    assert (message.word, message.number, message.text) == (Word.STOPPED, 19, "wörds\n")


def test_who_sent_it_is_what_the_kernel_says():
    ours, theirs = channel()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            send(theirs, Word.BORN)
            os._exit(0)
        os.waitpid(child, 0)
        assert receive(ours).pid == child


def test_descriptors_arrive_and_are_closed_on_exec():
    ours, theirs = channel()
    reading, writing = os.pipe()
    with ours, theirs:
        send(ours, Word.RELEASE, descriptors=(writing,))
        (given,) = receive(theirs).descriptors
    os.write(given, b"x")
    assert (os.read(reading, 1), os.get_inheritable(given)) == (b"x", False)
    for descriptor in (reading, writing, given):
        os.close(descriptor)


def test_an_end_that_is_closed_is_none():
    ours, theirs = channel()
    theirs.close()
    with ours:
        assert receive(ours) is None


def test_something_large_and_strange_is_handed_over_in_memory():
    environ = {"BAD": "\udcff", "BIG": "x" * 3_000_000}
    assert unpack(pack({"environ": environ})) == {"environ": environ}
