"""The URL and the key of a server are answered when they are configured, and no secret is shown."""

from __future__ import annotations

import pytest

from honeytrace._config import load
from honeytrace._network.server_url import checked_key, checked_url
from honeytrace.api import HoneyHive, ValidationError
from honeytrace.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api.honeyhive.ai", "https://api.honeyhive.ai"),
        ("HTTPS://Host/Path//", "https://Host/Path"),
        ("http://h:8080/base/", "http://h:8080/base"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://my_service:4318", "http://my_service:4318"),
        ("http://bücher.example/a", "http://bücher.example/a"),
    ],
)
def test_a_url_in_the_form_that_requests_use(given: str, used: str) -> None:
    """The scheme is written small, slashes at the end are dropped, everything else stays."""
    assert checked_url(given) == used
    assert load({"server_url": given}, {}).server_url == used


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://user:hunter22@h", "user"),
        ("https://hunter22@h", "user"),
        ("https://h/?a=1", "query"),
        ("https://h/#a", "fragment"),
        ("http://h:99999", "port"),
        ("http://h:0", "port"),
        ("http://h:eighty", "port"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("http://[::zz]", "URL"),
        ("https://h /x", "spaces"),
        ("https://h\n", "control characters"),
        ("https://h\\x", "host"),
        ("ftp://h", "http:// or https://"),
        ("h", "http:// or https://"),
        ("http://" + "ü" * 80 + ".example", "host"),
    ],
)
def test_an_impossible_url_is_refused_with_its_fault(url: str, fault: str) -> None:
    """`configure` and the client refuse it alike; the text has fault and form, and no password."""
    with pytest.raises(ConfigurationError, match=r"write https://host") as configured:
        load({"server_url": url}, {})
    with pytest.raises(ValidationError) as made:
        HoneyHive("key", server_url=url)
    for error in (configured, made):
        assert fault in str(error.value)
        assert "hunter22" not in str(error.value)


def test_an_impossible_key_is_not_repeated() -> None:
    """A key that no header can carry is refused, wherever it comes from, and never shown."""
    for key in ("hunter22\x00", "hünter22", "hunter22 two"):
        with pytest.raises(ValueError) as checked:
            checked_key(key)
        with pytest.raises(ConfigurationError, match="HH_API_KEY") as configured:
            load({}, {"HH_API_KEY": key})
        assert "nter22" not in f"{checked.value}{configured.value}"
    assert load({"api_key": " key\n"}, {}).api_key == "key"
