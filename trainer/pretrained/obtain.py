"""From what `model.weights` says to a file on this machine whose hash is the expected one.

Downloads are kept in Keras' cache (~/.keras/models, or under KERAS_HOME). A file gets its name there only once it is
whole and its hash is right, so that an interrupted download leaves nothing behind.
"""

import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import BinaryIO

from keras.src.applications.efficientnet import BASE_WEIGHTS_PATH, WEIGHTS_HASHES

from components.common import durable
from components.common.events import report_progress

ATTEMPTS = 3
SECONDS_BETWEEN = 2.0  # attempts
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 20  # bytes
LINES_EVERY = 16 << 20  # bytes between two lines of progress
WEB = ("http://", "https://")
RESUMED = 206  # HTTP status of an answer that begins where it was asked to
# Not every OSError: a full disk is no fault of the network's.
NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


def obtain(weights: str, variant: str | None = None, sha256: str | None = None) -> Path:
    """Return the file that `model.weights` names, downloaded if it has to be.

    Args:
        weights: "imagenet", a URL, or a path.
        variant: "b0" to "b7", for "imagenet".
        sha256: what the file's content has to hash to, 64 hex digits; needed with a URL.

    Raises:
        FileNotFoundError: there is no such file.
        ConnectionError: it could not be downloaded.
        ValueError: nothing is published for the variant, or the content has another hash.
    """
    if weights == "imagenet":
        return published_file(variant)
    if is_url(weights):
        if sha256 is None:
            raise ValueError(f"{shown(weights)} needs model.weights_sha256: whoever serves it could change the file")
        target = cache_folder() / f"{sha256}{Path(urllib.parse.urlsplit(weights).path).suffix}"
        return download(weights, target, "sha256", sha256)
    path = Path(weights).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"There is no weight file {path}: expected imagenet, none, or a file's path or URL.")
    if sha256 is not None:
        if path.is_dir():
            raise ValueError(f"{path} is a folder: model.weights_sha256 is of a single file; set it to null")
        if (found := _hash_of(path, "sha256")) != sha256:
            raise ValueError(f"{path} has the SHA-256 {found}, expected {sha256} (model.weights_sha256)")
    return path


def published_file(variant: str | None, *, include_top: bool = False) -> Path:
    """Return the path of Keras' published ImageNet weights, downloaded where they are not in its cache yet.

    Args:
        variant: "b0" to "b7".
        include_top: the file with ImageNet's classifier of 1,000 classes.

    Raises:
        ValueError: nothing is published for the variant, or the server sends something else.
        ConnectionError: the download failed.
    """
    if variant not in WEIGHTS_HASHES:
        raise ValueError(
            f"No ImageNet weights are published for {variant}: expected one of {', '.join(WEIGHTS_HASHES)}; "
            "use none, or the path or URL of a file."
        )
    name = f"efficientnet{variant}{'' if include_top else '_notop'}.h5"
    md5 = WEIGHTS_HASHES[variant][0 if include_top else 1]
    return download(BASE_WEIGHTS_PATH + name, cache_folder() / name, "md5", md5)


def cache_folder() -> Path:
    """The folder of downloaded weights."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def is_url(weights: str) -> bool:
    """Whether the file is to be downloaded."""
    return weights.lower().startswith(WEB)


def shown(url: str) -> str:
    """The URL without what may be secret: user, password and query."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def download(url: str, target: Path, algorithm: str, digest: str) -> Path:
    """Return `target`, downloaded unless it is there with the right hash. A broken connection is resumed.

    Args:
        url: http or https.
        target: the file.
        algorithm: of the hash, as `hashlib` names it.
        digest: hex digits.

    Raises:
        ConnectionError: the server did not send the whole file in three attempts.
        ValueError: what it sent has another hash.
    """
    if target.is_file() and _hash_of(target, algorithm) == digest:
        return target
    otherwise = f"download it elsewhere and put it at {target} ({algorithm} {digest}), or set the weights to none"
    report_progress(f"weights: downloading {shown(url)}")
    with durable.replaced(target) as file:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _append(url, file)
                break
            except NETWORK_ERRORS as error:
                answered = isinstance(error, urllib.error.HTTPError) and error.code < http.client.INTERNAL_SERVER_ERROR
                if answered or attempt == ATTEMPTS:
                    reason = " ".join(str(error).split()) or type(error).__name__
                    raise ConnectionError(f"Could not get {shown(url)} ({reason}): {otherwise}.") from error
                time.sleep(SECONDS_BETWEEN)
        file.flush()
        found = _hash_of(Path(file.name), algorithm)
        if found != digest:
            raise ValueError(
                f"{shown(url)} sent {file.tell():,} bytes with the {algorithm} {found}, expected {digest}: "
                f"correct the hash if the file was replaced on purpose, else {otherwise}."
            )
    return target


def _append(url: str, file: BinaryIO) -> None:
    """Fetch what is missing at the end of a file.

    Raises:
        ConnectionError, or another of `NETWORK_ERRORS`: the server cannot be reached, refuses, or stops too soon.
    """
    have = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if have and answer.status != RESUMED:  # the server sends all of it anew
            have = file.seek(0)
            file.truncate()
        length = re.fullmatch(r"\d+", answer.headers.get("Content-Length", ""))
        whole = have + int(length[0]) if length else None
        next_line = have + LINES_EVERY
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            have += len(chunk)
            if have >= next_line:
                report_progress(f"weights: {have / 1e6:.0f} MB", have, whole or 0)
                next_line += LINES_EVERY
    if whole is not None and have < whole:
        raise ConnectionError(f"the connection ended after {have:,} of {whole:,} bytes")


def _hash_of(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
