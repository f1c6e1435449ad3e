"""gateway.log_writer: lines arrive in order, whoever writes them never waits, and what is lost is counted."""

from __future__ import annotations

import io
import os
import threading

from gateway.log_writer import LineWriter, sink_of
from tests.e2e.scripted_upstream import PATIENCE_S


class Stuck:
    """A reader that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.is_asked, self.go_on = threading.Event(), threading.Event()
        self.taken = b""

    def __call__(self, data: bytes) -> None:
        self.is_asked.set()
        assert self.go_on.wait(PATIENCE_S)
        self.taken += data


def test_lines_arrive_in_order_and_together() -> None:
    writes: list[bytes] = []
    writer = LineWriter(writes.append, gather_s=PATIENCE_S)
    for i in range(100):
        writer.put(b"%d\n" % i)
    writer.flush(PATIENCE_S)
    assert b"".join(writes) == b"".join(b"%d\n" % i for i in range(100))
    assert len(writes) == 1


def test_a_reader_that_takes_nothing_holds_nobody_up_and_the_rest_is_counted() -> None:
    reader = Stuck()
    writer = LineWriter(reader, max_lines=3, gather_s=0)
    writer.put(b"taken\n")
    assert reader.is_asked.wait(PATIENCE_S)
    for i in range(10):
        writer.put(b"%d\n" % i)
    assert writer.dropped == 7
    writer.flush(limit_s=0.0)
    assert reader.taken == b""
    reader.go_on.set()
    writer.flush(PATIENCE_S)
    assert reader.taken == b"taken\n0\n1\n2\n"


def test_a_reader_that_has_gone_is_counted_and_the_writer_lives_on() -> None:
    lost, taken = [True], io.BytesIO()

    def sink(data: bytes) -> None:
        if lost.pop() if lost else False:
            raise BrokenPipeError
        taken.write(data)

    writer = LineWriter(sink, gather_s=0)
    writer.put(b"one\n")
    writer.flush(PATIENCE_S)
    assert writer.dropped == 1
    writer.put(b"two\n")
    writer.flush(PATIENCE_S)
    assert taken.getvalue() == b"two\n"


def test_a_pipe_that_is_full_and_does_not_block_gets_everything_in_the_end() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    data = b"x" * (1 << 18)  # four times what a pipe holds
    with open(write_end, "w") as stream, open(read_end, "rb") as reader:
        writer = LineWriter(sink_of(stream), gather_s=0)
        writer.put(data)
        assert reader.read(len(data)) == data
        writer.flush(PATIENCE_S)
    assert writer.dropped == 0


def test_a_stream_in_memory_is_written_as_text() -> None:
    stream = io.StringIO()
    writer = LineWriter(sink_of(stream), gather_s=0)
    writer.put("é\n".encode())
    writer.flush(PATIENCE_S)
    assert stream.getvalue() == "é\n"
