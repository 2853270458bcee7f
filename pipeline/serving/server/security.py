"""Who may ask: a bearer token, and TLS."""

import hmac
import ssl
from pathlib import Path


class UnsafeFile(ValueError):
    """A file of secrets cannot be used."""


def allowed(authorization: str, token: str) -> bool:
    """Whether a request's Authorization header has the token; anyone may ask where there is none."""
    if not token:
        return True
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def read_token(path: Path) -> str:
    """Reads a token from a file.

    Raises:
        UnsafeFile: if there is none in it.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeFile(f"cannot read the token in {path}: {error}") from error
    if not token or any(character.isspace() for character in token):
        raise UnsafeFile(f"got no token in {path}, expected one word; make one with: openssl rand -hex 32 > {path}")
    return token


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Loads a server's certificate.

    Raises:
        UnsafeFile: if the two files are not a certificate and its key.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UnsafeFile(f"cannot use {certificate} with {key}: {error}; expected PEM files of one pair") from error
    return context
