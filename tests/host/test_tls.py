"""Which brokers may be reached how, and what is said of certificates that cannot be used."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from host import tls
from host.settings import Settings, SettingsError, load, wrong_key
from host.tls import BrokerAddress, CertificateError, client_context, in_words, is_loopback
from tests.support.authority import Authority


class File(Settings):
    link: BrokerAddress = BrokerAddress()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.client("murat")
    made.client("ydes")
    return made


def address(authority: Authority, **changed: object) -> BrokerAddress:
    folder = authority.folder
    files = {
        "ca_file": authority.ca_file,
        "certificate_file": folder / "murat.crt",
        "key_file": folder / "murat.key",
        **changed,
    }
    return BrokerAddress.model_validate({"host": "broker.example.org", **files})


def read(folder: Path, text: str) -> BrokerAddress:
    (folder / "some.toml").write_text(text, encoding="utf-8")
    return load(folder / "some.toml", File).link


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_plain_connection_stays_on_this_machine(host: str) -> None:
    assert is_loopback(host)
    assert client_context(BrokerAddress(host=host)) is None


@pytest.mark.parametrize(
    "host", ["broker.example", "192.168.1.10", "2001:db8::1", "0.0.0.0", "localhost.example", "127.1"]
)
def test_plaintext_to_another_machine_is_refused_in_one_sentence(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f'\n[link]\nhost = "{host}"\n')
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path / 'some.toml'}, line 3: 'link.host' is wrong: without encryption only")
    assert "set ca_file and certificate_file" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("host", ["", "a" * 64 + ".example", "a..b", "x" * 254])
def test_what_is_no_host_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match=r"line 4: 'link\.host' is wrong"):
        read(tmp_path, f'[link]\nca_file = "ca.crt"\ncertificate_file = "own.crt"\nhost = "{host}"\n')


@pytest.mark.parametrize("key", ["ca_file", "certificate_file"])
def test_one_certificate_without_the_other_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match="TLS needs both ca_file and certificate_file"):
        read(tmp_path, f'[link]\n{key} = "some.crt"\n')


def test_certificates_stand_beside_the_settings_and_allow_any_host(tmp_path: Path) -> None:
    found = read(tmp_path, '[link]\nhost = "broker.example"\nca_file = "ca.crt"\ncertificate_file = "own.crt"\n')
    assert (found.ca_file, found.certificate_file) == (tmp_path / "ca.crt", tmp_path / "own.crt")


def test_an_encrypted_connection_checks_the_other_side_and_speaks_tls_1_2_at_least(authority: Authority) -> None:
    context = client_context(address(authority))
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_no_other_authority_is_believed(authority: Authority) -> None:
    context = client_context(address(authority))
    assert context is not None
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "key_file"])
def test_a_missing_file_is_named_with_its_key(authority: Authority, key: str) -> None:
    with pytest.raises(CertificateError, match=r"nowhere\.pem cannot be read \(No such file or directory\)") as caught:
        client_context(address(authority, **{key: Path("nowhere.pem")}))
    assert caught.value.key == key


def test_a_key_can_come_from_systemd_alone(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = address(authority, key_file=None)
    with pytest.raises(CertificateError, match="load the credential 'mqtt_key' by systemd"):
        client_context(without)
    (tmp_path / "mqtt_key").write_bytes((authority.folder / "murat.key").read_bytes())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert client_context(without) is not None


def test_systemd_s_key_comes_before_the_file(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mqtt_key").write_bytes((authority.folder / "ydes.key").read_bytes())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(CertificateError, match="mqtt_key are not a certificate and its unencrypted key"):
        client_context(address(authority))


def test_what_is_not_a_certificate_is_said(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear broker")
    with pytest.raises(CertificateError, match="holds no certificate") as caught:
        client_context(address(authority, ca_file=tmp_path / "letter.txt"))
    assert caught.value.key == "ca_file"


def test_a_key_with_a_password_is_refused_without_asking_for_it(authority: Authority, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key((authority.folder / "murat.key").read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "locked.key").write_bytes(locked)
    with pytest.raises(CertificateError, match="unencrypted key"):
        client_context(address(authority, key_file=tmp_path / "locked.key"))


def test_a_key_of_the_settings_can_be_refused_after_they_were_read(tmp_path: Path) -> None:
    read(tmp_path, '[link]\nport = 1\nca_file = "ca.crt"\ncertificate_file = "own.crt"\n')
    sentence = str(wrong_key(tmp_path / "some.toml", ["link", "ca_file"], "it is blue"))
    assert sentence == f"{tmp_path / 'some.toml'}, line 3: 'link.ca_file' is wrong: it is blue"


# As OpenSSL 3.0 and Python 3.11 say it, read from real connections.
WORDS = [
    (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:992)",
        "the broker's certificate is not accepted: certificate has expired",
    ),
    (
        "failed to receive on socket: [SSL: SSLV3_ALERT_CERTIFICATE_REVOKED] sslv3 alert certificate revoked",
        "the broker does not accept our certificate: certificate revoked",
    ),
    (
        "failed to receive on socket: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required",
        "the broker does not accept our certificate: certificate required",
    ),
    ("Connection refused", "Connection refused"),
    (tls.UNANSWERED, tls.UNANSWERED),
]


@pytest.mark.parametrize(("reason", "words"), WORDS)
def test_openssl_s_reasons_become_words(reason: str, words: str) -> None:
    assert in_words(reason) == words
