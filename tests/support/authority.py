"""A certificate authority for the tests: EC P-256, one authority, certificates for a broker, sites and a hub, and a
list of the revoked ones.

The real authority comes with the installation of sites; what it has to issue is what this one issues.
"""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    """Keeps its files in one folder: `ca.crt`, `revoked.crl`, and a `.crt` and a `.key` for each certificate."""

    def __init__(self, folder: Path, name: str = "Authority of the tests") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._now = dt.datetime.now(dt.UTC)
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued: dict[str, x509.Certificate] = {}
        self._revoked: list[x509.RevokedCertificate] = []
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        own = (
            self._builder(self._name, self._key.public_key(), days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.crt"
        self.ca_file.write_bytes(own.public_bytes(serialization.Encoding.PEM))
        self.crl_file = folder / "revoked.crl"
        self._write_crl()

    def server(self, name: str = "localhost") -> tuple[Path, Path]:
        """Return certificate and key of a broker on this machine, which goes by `name`."""
        addresses = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self._issue("server", "broker", x509.SubjectAlternativeName(addresses), ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, common_name: str, file: str | None = None, *, days: int = 30) -> tuple[Path, Path]:
        """Return certificate and key of a site or of the hub; `days` below zero make an expired one."""
        return self._issue(file or common_name, common_name, None, ExtendedKeyUsageOID.CLIENT_AUTH, days=days)

    def revoke(self, file: str) -> None:
        """Put a certificate on the list of those that no longer count; the broker reads it on SIGHUP."""
        serial = self._issued[file].serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self._now - DAY).build()
        self._revoked.append(entry)
        self._write_crl()

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - 30 * DAY)
            .not_valid_after(self._now + days * DAY)
        )

    def _issue(
        self,
        file: str,
        common_name: str,
        addresses: x509.SubjectAlternativeName | None,
        purpose: x509.ObjectIdentifier,
        *,
        days: int = 30,
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(common_name), key.public_key(), days=days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if addresses is not None:
            builder = builder.add_extension(addresses, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        self._issued[file] = certificate
        certificate_file, key_file = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return certificate_file, key_file

    def _write_crl(self) -> None:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(self._now - DAY).next_update(self._now + 30 * DAY)
        for entry in self._revoked:
            builder = builder.add_revoked_certificate(entry)
        self.crl_file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
