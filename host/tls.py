"""How to reach a broker: plainly on this machine, by TLS with a certificate of our own anywhere else.

Errors of OpenSSL become a sentence here: a technician has to know which of two certificates is not accepted, and why.
"""

import ipaddress
import os
import re
import ssl
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from host.settings import File, Settings

KEY_CREDENTIAL = "mqtt_key"
"""systemd's credential with the private key; it comes before `key_file`."""

UNANSWERED = "the broker closed the connection unanswered: it does not accept our certificate, or is not a TLS broker"
"""Mosquitto closes at once when it refuses a certificate, so that its reason is often lost on the way."""

_NOT_ACCEPTED = re.compile(r"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: (.+?) \(_ssl")
_ALERT = re.compile(r"\[SSL: [A-Z0-9]+_ALERT_([A-Z_]+)\]")


class BrokerAddress(Settings):
    """Where a broker is, and the certificates for both ends. Without `ca_file` the connection is plain."""

    ca_file: File | None = None
    """The authority that the broker's certificate must come from; no other is believed."""
    certificate_file: Annotated[File | None, Field(validate_default=True)] = None
    """Our own certificate: its common name is what the broker knows us by."""
    key_file: File | None = None
    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883

    @field_validator("certificate_file")
    @classmethod
    def _goes_with_an_authority(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if (file is None) != (info.data.get("ca_file") is None):
            raise ValueError("TLS needs both ca_file and certificate_file")
        return file

    @field_validator("host")
    @classmethod
    def _plain_on_this_machine_only(cls, host: str, info: ValidationInfo) -> str:
        try:
            host.encode("idna")
        except UnicodeError as error:
            raise ValueError("a host is a name such as broker.example.org, or an address") from error
        if info.data.get("ca_file") is None and not is_loopback(host):
            raise ValueError(
                "without encryption only a broker on this machine is allowed (127.0.0.1, ::1, localhost);"
                " for any other set ca_file and certificate_file"
            )
        return host


class _HandshakeSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho has then no hold of it yet, and would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class CertificateError(ValueError):
    """A file of the address cannot be used: `key` names its setting, the text says why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def is_loopback(host: str) -> bool:
    """Return whether what is sent to `host` stays on this machine, by its name or address alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def client_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """Return what a connection to this broker is encrypted with, read from the files now; None when it is plain.

    Raises:
        CertificateError: a file is missing, or is not what it should be.
    """
    if address.ca_file is None or address.certificate_file is None:
        return None
    key_file = _key_file(address)
    for key, file in (("ca_file", address.ca_file), ("certificate_file", address.certificate_file)):
        _refuse_unreadable(key, file)
    _refuse_unreadable("key_file", key_file)
    try:
        context = ssl.create_default_context(cafile=str(address.ca_file))
    except OSError as error:
        raise CertificateError("ca_file", f"{address.ca_file} holds no certificate in PEM form") from error
    context.sslsocket_class = _HandshakeSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # With a password, even an empty one, OpenSSL never asks for one at the terminal.
        context.load_cert_chain(address.certificate_file, key_file, password="")
    except OSError as error:
        raise CertificateError(
            "certificate_file",
            f"{address.certificate_file} and {key_file} are not a certificate and its unencrypted key in PEM form",
        ) from error
    return context


def in_words(reason: str) -> str:
    """Return what OpenSSL's refusal means; any other reason unchanged."""
    if found := _NOT_ACCEPTED.search(reason):
        return f"the broker's certificate is not accepted: {found[1]}"
    if found := _ALERT.search(reason):
        return f"the broker does not accept our certificate: {found[1].lower().replace('_', ' ')}"
    return reason


def _key_file(address: BrokerAddress) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and (credential := Path(folder) / KEY_CREDENTIAL).exists():
        return credential
    if address.key_file is None:
        raise CertificateError(
            "key_file", f"it is missing: name the file, or load the credential '{KEY_CREDENTIAL}' by systemd"
        )
    return address.key_file


def _refuse_unreadable(key: str, file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise CertificateError(key, f"{file} cannot be read ({error.strerror})") from error
