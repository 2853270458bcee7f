"""Who may ask: a bearer token, and TLS."""

import hmac
import os
import re
import ssl
from pathlib import Path

TOKEN = re.compile(r"[\x21-\x7e]+")  # what a header carries unchanged, whatever sends it
MAKE_ONE = "make one with: openssl rand -hex 32"


class UnsafeSecret(ValueError):
    """A token, or the files of a certificate, cannot be used."""


def allowed(authorization: str, token: str) -> bool:
    """Whether a request's Authorization header has the token; anyone may ask where there is none."""
    if not token:
        return True
    scheme, _, given = authorization.partition(" ")
    # aiohttp keeps bytes that are not UTF-8 as surrogates, which stay the same bytes here.
    sent = given.strip().encode(errors="surrogateescape")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent, token.encode())


def read_token(path: Path) -> str:
    """Reads a token from a file.

    Raises:
        UnsafeSecret: if there is none in it.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeSecret(f"cannot read the token in {path}: {error}") from error
    return check_token(content, str(path))


def token_of(path: Path | None, variable: str) -> str:
    """Returns the token in a file, else in a variable of the environment; "" if there is none.

    Raises:
        UnsafeSecret: if it cannot be used.
    """
    if path:
        return read_token(path)
    given = os.environ.get(variable, "")
    return check_token(given, f"${variable}") if given else ""


def check_token(text: str, where: str) -> str:
    """Returns the token in a text, without the blanks and line breaks around it.

    Raises:
        UnsafeSecret: if it is none; without one the server would answer anyone.
    """
    token = text.strip()
    if not TOKEN.fullmatch(token):
        raise UnsafeSecret(f"got no token in {where}, expected one word of ASCII letters, digits or signs; {MAKE_ONE}")
    return token


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Loads a server's certificate.

    Raises:
        UnsafeSecret: if the two files are not a certificate and its key.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UnsafeSecret(f"cannot use {certificate} with {key}: {error}; expected PEM files of one pair") from error
    return context
