"""gateway.dashboard.pages over HTTP: pages for people, errors as well, and nothing in them that runs."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest

from gateway.dashboard.pages import ASSETS, MAX_BODY_BYTES
from gateway.types import Entry
from tests.gateway.dashboard.seeded import HTML, WORST, seeded


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> object:
    with seeded(tmp_path_factory.mktemp("ledger")) as url:
        yield url


def page(url: object, path: str) -> httpx.Response:
    answer = httpx.get(f"{url}{path}")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    return answer


def test_the_dashboard_has_the_numbers_without_a_script(url: object) -> None:
    text = page(url, "/").text
    for said in ("Net saved", "By policy", "no_benefit", WORST, "−$0.017500", 'role="img"'):
        assert said in text
    assert "<script" not in text


@pytest.mark.parametrize("path", ["/?by=model", "/?by=team", "/", f"/requests/{WORST}", "/?since=1d&by=day"])
def test_nothing_is_inline_and_no_name_is_markup(path: str, url: object) -> None:
    text = page(url, path).text
    assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", text)
    assert not re.search(r"<(style|img)", text)
    assert HTML not in text


def test_names_that_are_html_are_shown_and_can_be_chosen(url: object) -> None:
    text = page(url, "/?by=model").text
    [link] = re.findall(r'href="(/\?[^"]*of=model[^"]*onerror[^"]*)"', text)
    chosen = page(url, link.replace("&amp;", "&")).text
    assert "Only model" in chosen
    assert "of 1 requests" in chosen


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/?by=id", 400, "use one of policy"),
        ("/?since=soon", 400, "neither like 7d"),
        ("/?of=model", 400, "give both"),
        ("/requests/none", 404, "the ledger has no request"),
    ],
)
def test_errors_are_pages(path: str, status: int, said: str, url: object) -> None:
    answer = page(url, path)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert "Back to the dashboard" in answer.text


def test_a_request_is_found_by_its_id(url: object) -> None:
    found = httpx.get(f"{url}/requests", params={"id": f" {WORST} "})
    assert (found.status_code, found.headers["location"]) == (303, f"/requests/{WORST}")
    empty = httpx.get(f"{url}/requests")
    assert (empty.status_code, empty.headers["location"]) == (303, "/")
    odd = httpx.get(f"{url}/requests", params={"id": "//evil.example/"})
    assert odd.headers["location"].startswith("/requests/")


@pytest.mark.parametrize("name", ASSETS)
def test_assets_are_files_of_ours(name: str, url: object) -> None:
    answer = httpx.get(f"{url}/assets/{name}")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, ASSETS[name][2])
    assert answer.content


def test_without_rows_the_page_says_how_to_get_some(tmp_path: Path) -> None:
    with seeded(tmp_path, rows=[]) as url:
        assert "Show everything" in page(url, "/").text
        assert "base URL" in page(url, "/?since=all").text


def test_a_ledger_that_is_gone_is_a_page_too(tmp_path: Path) -> None:
    with seeded(tmp_path, rows=[Entry(id="x", created_at=time.time(), path="/", status=200)]) as url:
        (tmp_path / "ledger.db").unlink()
        for path in ("/", "/requests/x"):
            answer = page(url, path)
            assert (answer.status_code, "The ledger cannot be read" in answer.text) == (503, True)


def test_a_browser_sends_the_token_as_a_password(tmp_path: Path) -> None:
    with seeded(tmp_path, rows=[], token="0123456789abcdef") as url:
        assert httpx.get(url).headers["www-authenticate"].startswith("Basic ")
        assert httpx.get(url, auth=("me", "0123456789abcdef")).status_code == 200
        assert httpx.get(url, auth=("me", "0123456789abcdeX")).status_code == 401


def test_the_playground_answers_over_http(url: object) -> None:
    assert 'src="/assets/playground.js"' in page(url, "/playground").text
    sample = httpx.get(f"{url}/assets/sample.txt").text
    said = httpx.post(f"{url}/v1/explain", json={"input": sample, "rate": 0.3}, timeout=60).json()
    assert 0 < said["compressed_tokens"] < said["origin_tokens"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b" " * (MAX_BODY_BYTES + 1)])
def test_what_the_playground_cannot_read_is_refused(body: bytes, url: object) -> None:
    answer = httpx.post(f"{url}/v1/explain", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_another_sites_page_does_not_ask(url: object) -> None:
    headers = {"origin": "http://evil.example"}
    assert httpx.post(f"{url}/v1/explain", json={"input": "x"}, headers=headers).status_code == 403
