"""The certificates that the environment names are trusted, or named where they cannot be read."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest
import trustme

from honeytrace._network import certificates
from honeytrace._network.certificates import CertificatesError, ssl_context


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(certificates, "_warned", set())


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    trustme.CA(organization_name="Ours").cert_pem.write_to_path(str(path))
    return str(path)


def trusts_ours(context: ssl.SSLContext) -> bool:
    return any("Ours" in str(cert["issuer"]) for cert in context.get_ca_certs())


def test_by_default_certifi_is_trusted() -> None:
    """Servers are verified, name included, against many authorities."""
    context = ssl_context()
    assert len(context.get_ca_certs()) > 50
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_bundle_of_openssl_is_trusted_instead(
    bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names all that is trusted; SSL_CERT_DIR is for a directory."""
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    assert trusts_ours(ssl_context())
    assert len(ssl_context().get_ca_certs()) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(Path(bundle).parent))
    assert ssl_context().get_ca_certs() == []  # a directory is looked into when a server is met


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_other_programs_is_trusted_too(
    variable: str, bundle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A company's own authority is trusted beside certifi's, or beside those of SSL_CERT_FILE."""
    monkeypatch.setenv(variable, bundle)
    context = ssl_context()
    assert trusts_ours(context)
    assert len(context.get_ca_certs()) > 50
    other = tmp_path / "other.pem"
    trustme.CA(organization_name="Theirs").cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    context = ssl_context()
    assert trusts_ours(context)
    assert len(context.get_ca_certs()) == 2


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_gone_are_named(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stale variable, or a file without certificates, is an error with variable and cure."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for value in (str(tmp_path / "gone.pem"), str(empty)):
        monkeypatch.setenv(variable, value)
        with pytest.raises(CertificatesError, match=f"{variable}={value}: .*; unset it"):
            ssl_context()


def test_stale_bundle_of_other_programs_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """It keeps nothing from working, since it was set for others."""
    caplog.set_level(logging.WARNING, "honeytrace")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    assert len(ssl_context().get_ca_certs()) > 50
    ssl_context()
    (line,) = (record.getMessage() for record in caplog.records)
    assert f"REQUESTS_CA_BUNDLE={tmp_path / 'gone.pem'}" in line
    assert "unset it" in line
