"""The judgement on a head; tests/e2e/test_framing.py puts all of it, the parser's half too, on the wire."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.downstream.framing import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    Head,
    origin_form,
    refusal_of,
    refusal_of_size,
    unparsed,
)
from gateway.types import RawHeaders

HOST = (b"host", b"a")
LENGTH = (b"content-length", b"3")
CHUNKED = (b"transfer-encoding", b"chunked")


def head(
    *fields: tuple[bytes, bytes], method: bytes = b"POST", target: bytes = b"/x", version: str = "1.1"
) -> Head:
    return Head(method, target, version, list(fields))


@pytest.mark.parametrize(
    "served",
    [
        head(HOST),
        head(HOST, LENGTH),
        head(HOST, (b"transfer-encoding", b"Chunked")),
        head(version="1.0"),
        head(HOST, LENGTH, version="1.0"),
        head((b"host", b"a.b_c-d~e:1")),
        head((b"host", b"[2001:db8::1]")),
        head((b"host", b"a \t"), (b"content-length", b"3 ")),
        head(HOST, target=b"http://b:8080/x?y"),
        head(HOST, (b"content_length", b"9"), LENGTH),
    ],
)
def test_a_request(served: Head) -> None:
    assert refusal_of(served) is None


@pytest.mark.parametrize(
    ("refused", "fault"),
    [
        (head(), "no Host"),
        (head(HOST, HOST), "more than one Host"),
        (head(HOST, HOST, version="1.0"), "more than one Host"),
        (head((b"host", b"a:b")), "names no host"),
        (head((b"host", b"[a")), "names no host"),
        (head(HOST, version="2.0"), "neither HTTP/1.1"),
        (head(HOST, LENGTH, CHUNKED), "more than one of"),
        (head(HOST, LENGTH, LENGTH), "more than one of"),
        (head(HOST, CHUNKED, CHUNKED), "more than one of"),
        (head(HOST, (b"content-length", b"+3")), "not a number"),
        (head(HOST, (b"content-length", b"\xb2")), "not a number"),
        (head(HOST, (b"transfer-encoding", b"gzip, chunked")), "not chunked"),
        (head(CHUNKED, version="1.0"), "in HTTP/1.0"),
        (head(HOST, target=b"x"), "neither a path"),
        (head(HOST, target=b"*"), "neither a path"),
        (head(HOST, target=b"http://a b/x"), "neither a path"),
        (head(HOST, target=b"/x#y"), "fragment"),
    ],
)
def test_no_request(refused: Head, fault: str) -> None:
    refusal = refusal_of(refused)
    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.is_closing) == (400, "malformed_request", True)
    assert fault in refusal.message


@pytest.mark.parametrize("method", [b"CONNECT", b"DESCRIBE", b"SOURCE", b"PRI"])
def test_a_method_of_another_kind(method: bytes) -> None:
    refusal = refusal_of(head(HOST, method=method))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (501, "unknown_method")


def test_the_limits_of_size_are_kept_exactly() -> None:
    assert refusal_of_size([(b"x", b"1")] * MAX_FIELDS) is None
    assert refusal_of_size([(b"x", b"1" * (MAX_HEAD_BYTES - 1))]) is None
    for fields in ([(b"x", b"1")] * (MAX_FIELDS + 1), [(b"x", b"1" * MAX_HEAD_BYTES)]):
        refusal = refusal_of_size(fields)
        assert refusal is not None
        assert (refusal.status, refusal.code) == (431, "headers_too_large")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/x?y", b"/x?y"),
        (b"//x", b"//x"),
        (b"http://a/x?y?", b"/x?y?"),
        (b"HTTPS://a", b"/"),
        (b"http://a?", b"/?"),
        (b"http://a//b", b"//b"),
    ],
)
def test_the_origin_form(target: bytes, expected: bytes) -> None:
    assert origin_form(target) == expected


@given(st.binary(max_size=40))
def test_every_target_that_is_let_in_has_an_origin_form(target: bytes) -> None:
    if refusal_of(head(HOST, target=target)) is None:
        assert origin_form(target).startswith(b"/")


FIELDS: st.SearchStrategy[RawHeaders] = st.lists(
    st.tuples(
        st.sampled_from([b"host", b"content-length", b"transfer-encoding", b"x"]),
        st.sampled_from([b"a", b"3", b"03", b"-3", b"", b"chunked", b"gzip, chunked", b"identity"]),
    ),
    max_size=5,
)


@given(FIELDS, st.sampled_from(["1.0", "1.1"]))
def test_what_is_let_in_has_one_host_and_one_end(fields: RawHeaders, version: str) -> None:
    if refusal_of(head(*fields, version=version)) is None:
        names = [name for name, _ in fields]
        assert names.count(b"host") <= 1
        assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1


@pytest.mark.parametrize(
    ("error", "data", "status"),
    [
        (httptools.HttpParserInvalidMethodError("Invalid method encountered"), b"FOO /", 501),
        (httptools.HttpParserInvalidMethodError("Invalid method encountered"), b"\r\nfoo", 501),
        (httptools.HttpParserInvalidMethodError("Invalid method encountered"), b"\x16\x03", 400),
        (httptools.HttpParserError("Invalid header token"), b"GET", 400),
        (httptools.HttpParserError(), b"GET", 400),
    ],
)
def test_what_the_parser_gives_up_on(error: httptools.HttpParserError, data: bytes, status: int) -> None:
    refusal = unparsed(error, data)
    assert (refusal.status, refusal.is_closing) == (status, True)
    assert not refusal.message.endswith(": ")
