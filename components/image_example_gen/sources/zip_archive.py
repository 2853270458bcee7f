"""Reads zip archives as if they were folders, without unpacking them: nothing of them is ever written anywhere.

The images of photos.zip are those of a folder photos. Each is read by itself from its bytes in the archive, and
inflated in memory up to the size that the archive states.
"""

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from components.common import files
from components.image_example_gen.sources.bounded_file import bounded
from components.image_example_gen.sources.listing import FileEntry, Listing, Rejected, is_litter
from components.image_example_gen.sources.shards import is_image_name

SUFFIX = ".zip"
MOST_MEMBERS = 5_000_000
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # of a member; its name, and notes, stand between it and the content
_ENCRYPTED = 0x1
_DAMAGE = (
    zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, OverflowError, MemoryError, struct.error,
    RecursionError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A file within an archive.

    Attributes:
        archive: the zip file.
        offset: of its first byte there.
        size: bytes in the archive.
        inflated: bytes once it is decompressed; 0 if it is stored as it is.
    """

    archive: str
    offset: int
    size: int
    inflated: int


@dataclass(frozen=True)
class Opened:
    """A folder with its archives opened.

    Attributes:
        listing: its files, and those of the archives as if they lay in folders of the archives' names.
        members: path in the listing -> where a file of an archive lies.
    """

    listing: Listing
    members: Mapping[str, Member] = field(default_factory=dict)


def is_archive_name(path: str) -> bool:
    """Tells by its name whether a file is a zip archive."""
    return path.lower().endswith(SUFFIX)


def open_archives(listing: Listing, root: str) -> Opened:
    """Opens the zip archives among the files of a folder; damaged ones are rejected by name.

    An archive that lies among images is no data set, and stays closed.

    Args:
        listing: of the folder.
        root: the folder.
    """
    archives = [entry for entry in listing.files if is_archive_name(entry.path)]
    if not archives or any(is_image_name(entry.path) for entry in listing.files):
        return Opened(listing)
    entries = [entry for entry in listing.files if entry not in archives]
    rejected, folders = list(listing.rejected), set(listing.folders)
    members: dict[str, Member] = {}
    for archive in archives:
        own, problems = _members(archive, files.join(root, archive.path))
        rejected += problems
        for path, (member, size) in own.items():
            members[path] = member
            entries.append(FileEntry(path, size, archive.modified))
            while path := posixpath.dirname(path):
                folders.add(path)
    return Opened(Listing(sorted(entries), sorted(folders), sorted(rejected)), members)


def read_member(member: Member, most_bytes: int) -> bytes:
    """Returns a file of an archive.

    Raises:
        OSError: if it is damaged, or larger than `most_bytes`.
    """
    if max(member.size, member.inflated) > most_bytes:
        raise OSError(f"{max(member.size, member.inflated):,} bytes in an archive are too many")
    return inflate(files.read_range(member.archive, member.offset, member.size), member.inflated)


def inflate(data: bytes, size: int) -> bytes:
    """Returns what `data` is once it is decompressed, of exactly `size` bytes; as it is for 0.

    Raises:
        OSError: if it is damaged, or of another size.
    """
    if not size:
        return data
    try:
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise OSError(f"damaged in the archive: {error}") from error
    if len(inflated) != size:
        raise OSError(f"damaged in the archive: other than the {size:,} bytes that it states")
    return inflated


def _members(archive: FileEntry, path: str) -> tuple[dict[str, tuple[Member, int]], list[Rejected]]:
    """Returns path -> (member, bytes) of an archive's files, and what is wrong with the others."""
    folder = archive.path[: -len(SUFFIX)]
    found: dict[str, tuple[Member, int]] = {}
    rejected = []
    try:
        with files.open_binary(path) as disk:
            file = bounded(disk)
            infos = zipfile.ZipFile(file).infolist()
            if len(infos) > MOST_MEMBERS:
                return {}, [Rejected(archive.path, "unreadable", f"{len(infos):,} files are too many for one archive")]
            for info in infos:
                if info.is_dir():
                    continue
                name = f"{archive.path}/{info.filename}"
                parts = [part for part in info.filename.replace("\\", "/").split("/") if part not in ("", ".")]
                if ".." in parts or not parts:
                    rejected.append(Rejected(name, "outside_root", "its name leads out of the archive"))
                elif any(map(is_litter, parts)):
                    rejected.append(Rejected(name, "ignored", "hidden or left by an operating system"))
                elif info.flag_bits & _ENCRYPTED:
                    rejected.append(Rejected(name, "unreadable", "encrypted with a password"))
                elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    rejected.append(Rejected(name, "unsupported_format", "neither stored nor deflated: pack it anew"))
                else:
                    where = posixpath.join(folder, *parts)
                    found[where] = (_locate(file, info, path), info.file_size)
    except _DAMAGE as error:
        return found, [*rejected, Rejected(archive.path, "truncated", f"the archive is damaged: {error}")]
    return found, rejected


def _locate(file: BinaryIO, info: zipfile.ZipInfo, archive: str) -> Member:
    file.seek(info.header_offset)
    magic, *_, name_bytes, note_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if magic != b"PK\3\4":
        raise zipfile.BadZipFile(f"no file where {info.filename} should be")
    inflated = info.file_size if info.compress_type == zipfile.ZIP_DEFLATED else 0
    size = info.compress_size if info.file_size else 0  # nothing, deflated, has two bytes
    return Member(archive, file.tell() + name_bytes + note_bytes, size, inflated)
