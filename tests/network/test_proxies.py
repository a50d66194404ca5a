"""The environment decides between a proxy and the direct way, however its variables are written."""

from __future__ import annotations

import os

import pytest

from honeytrace._network.proxies import Proxy, ProxyError, proxy_for

PROXY = "http://proxy.test:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("*", "http://h"),
        ("h", "http://h"),
        ("H.", "http://h"),
        ("example.com", "http://api.example.com"),
        (".example.com", "http://example.com"),
        ("*.example.com", "http://api.example.com"),
        ("api-*.internal", "http://api-7.internal"),
        ("a, b  h", "http://h"),
        ("h:8080", "http://h:8080"),
        ("http://h", "http://h"),
        ("127.0.0.1", "http://127.0.0.1:9"),
        ("127.*", "http://127.0.0.1:9"),
        ("127.0.0.0/8", "http://127.0.0.1:9"),
        ("10.1.2.3/8", "http://10.9.9.9"),
        ("::1", "http://[::1]:9"),
        ("[::1]", "http://[::1]"),
        ("[::1]:9", "http://[::1]:9"),
        ("::1/128", "http://[::1]"),
        ("fd07:b51a::/64", "http://[fd07:b51a::5]"),
        ("[fd07:b51a::]/64", "http://[fd07:b51a::5]"),
        ("localhost,::1/128,fd07::/64,127.0.0.1", "http://127.0.0.1"),
    ],
)
def test_no_proxy_leaves_a_server_direct(
    no_proxy: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY is read as curl, Go and Docker write it."""
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    assert proxy_for(url) == Proxy(PROXY, "HTTP_PROXY")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", "http://h"),
        ("ample.com", "http://example.com"),
        ("api.example.com", "http://example.com"),
        ("h:81", "http://h"),
        ("10.0.0.0/8", "http://127.0.0.1"),
        ("127.0.0.1", "http://127.0.0.11"),
        ("127.0.0.0/999", "http://127.0.0.1"),
        ("[::1", "http://127.0.0.1"),
        ("::1/128,[::1]", "http://127.0.0.1"),
        ("10.0.0.0/8", "http://h"),
    ],
)
def test_no_proxy_of_others_changes_nothing(
    no_proxy: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry for another server, or an unreadable one, exempts nobody."""
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == Proxy(PROXY, "http_proxy")


def test_only_the_proxy_of_the_servers_scheme_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY is nothing to an http server, and ALL_PROXY is for what has none of its own."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5h://secure.test:1080")
    assert proxy_for("http://h") is None
    monkeypatch.setenv("ALL_PROXY", "other.test:3128")
    assert proxy_for("http://h") == Proxy("http://other.test:3128", "ALL_PROXY")
    assert proxy_for("https://h") == Proxy("socks5h://secure.test:1080", "HTTPS_PROXY")


@pytest.mark.parametrize("value", ["http://u:hunter22@p:99999", "ftp://u:hunter22@p", "http://"])
def test_an_impossible_proxy_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the variable, its value without the password, and what to do."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ProxyError, match=r"HTTPS_PROXY=.*NO_PROXY") as raised:
        proxy_for("https://h")
    assert "hunter22" not in str(raised.value)
