"""What a file of others may not do: run code, lead to other files, or promise more than memory holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MIB = 2**20


class Refusal(ValueError):
    """What is refused on purpose; libraries raise a plain ValueError for what is damaged."""


# Deflate packs a constant field to about a thousandth; what promises far more was never written.
MAX_RATIO = 2000
SMALL = 256 * MIB
MAX_OBJECTS = 100_000  # groups and arrays of one file or store
MAX_METADATA = 64 * MIB
# Codecs that only turn bytes into bytes. ``pickle`` runs code, and others are refused until they are known.
CODECS = frozenset(
    {
        *("blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "zfpy", "pcodec", "packbits", "base64"),
        *("delta", "fixedscaleoffset", "quantize", "bitround", "shuffle", "astype", "categorize"),
        *("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"),
        *("vlen-utf8", "vlen-bytes", "vlen-array", "json2"),
        *("bytes", "transpose", "sharding_indexed", "cast_value", "scale_offset"),
    }
)


def check_hdf5(path: str) -> None:
    """Refuse an HDF5 file that leads to other files or promises far more than it holds; one walk, no values read.

    Raises
    ------
    Refusal
        External links, external storage, virtual datasets, more than 100,000 objects, or arrays of more than 2000
        times the size of the file (from 256 MB on).
    """
    import h5py

    promised = 0
    with h5py.File(path, "r") as file:
        for count, (name, dataset) in enumerate(_walk_hdf5(file)):
            if count > MAX_OBJECTS:
                raise Refusal(f"{path} holds more than {MAX_OBJECTS} objects, which no file of fields does")
            creation = dataset.id.get_create_plist()
            if creation.get_external_count():
                raise Refusal(_leads_away(path, name, "its values lie in another file"))
            if creation.get_layout() == h5py.h5d.VIRTUAL:
                raise Refusal(_leads_away(path, name, "it is a virtual dataset"))
            promised += dataset.size * dataset.dtype.itemsize if dataset.shape is not None else 0
    check_size(path, promised, os.path.getsize(path))


def _walk_hdf5(group: Any, prefix: str = "", seen: set[Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Name and dataset of all groups; links to other files are refused before they are followed."""
    import h5py

    seen = set() if seen is None else seen
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise Refusal(_leads_away(group.file.filename, prefix + name, "it is a link to another file"))
        if not isinstance(link, h5py.HardLink):  # soft links stay inside and are seen at their target
            continue
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield prefix + name, item
        elif isinstance(item, h5py.Group):
            address = h5py.h5o.get_info(item.id).addr
            if address not in seen:  # a group may be its own child
                seen.add(address)
                if len(seen) > MAX_OBJECTS:
                    raise Refusal(f"{group.file.filename} holds more than {MAX_OBJECTS} groups")
                yield from _walk_hdf5(item, f"{prefix}{name}/", seen)


def _leads_away(path: str, name: str, why: str) -> str:
    return (
        f"{name!r} of {path} is refused: {why}, so that reading it could show any file of this machine; copy the "
        f"values into one file, e.g. with h5repack, nccopy or ncks, where you trust it"
    )


def check_size(path: str, promised: int, held: int) -> None:
    """Refuse arrays that would take far more memory than a file of this size can fill."""
    if promised > SMALL and promised > MAX_RATIO * max(held, 1):
        raise Refusal(
            f"{path} has {held} bytes and promises arrays of {promised / MIB:.0f} MB, more than {MAX_RATIO} times as "
            f"much, so that most of it was never written; get the file again, or cut out what is there, e.g. with ncks"
        )


def check_zarr(path: str) -> None:
    """Refuse a zarr store on disk with links in it, or with codecs that could run code; one walk, no chunk is read.

    Raises
    ------
    Refusal
        A symbolic link, metadata that are no JSON or larger than 64 MB, or a codec that is not known to be harmless.
    """
    root = os.path.realpath(path)
    for folder, _, files in _walk_folder(root):
        for name in files:
            if name in (".zarray", ".zmetadata", "zarr.json"):
                where = os.path.join(folder, name)
                check_codecs(read_json(where), f"{os.path.relpath(where, root)} of {path}")


def _walk_folder(root: str) -> Iterator[tuple[str, list[str], list[str]]]:
    folders = [root]
    while folders:
        folder = folders.pop()
        inside: list[str] = []
        files: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise Refusal(
                        f"{entry.path} is a symbolic link inside a zarr store, which could lead to any file of this "
                        f"machine; where you trust it, copy the store with its links resolved, e.g. cp -rL"
                    )
                (inside if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
        yield folder, inside, files
        folders += [os.path.join(folder, name) for name in inside]


def read_json(path: str | Path) -> Any:
    """The metadata of a store; Refusal for what is no JSON, or far too large."""
    if os.path.getsize(path) > MAX_METADATA:
        raise Refusal(f"{path} has {os.path.getsize(path)} bytes, more than metadata of a store have")
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{path} is no JSON ({error}); the store is damaged, get it again") from error


def check_codecs(metadata: Any, where: str) -> None:
    """Refuse codecs that are not known to be harmless, in the metadata of zarr formats 2 and 3."""
    strange = sorted({name for name in _codecs(metadata) if name.removeprefix("numcodecs.").lower() not in CODECS})
    if strange:
        raise Refusal(
            f"{where} asks for the codec(s) {strange}, which could run code when values are read; where you trust the "
            f"store, open it with xarray.open_zarr and give the Dataset to daily_drivers"
        )


def _codecs(metadata: Any) -> Iterator[str]:
    """Names of all codecs, however deep: ``filters`` and ``compressor`` of format 2, ``codecs`` of format 3."""
    todo = [metadata]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo += node
        if not isinstance(node, dict):
            continue
        for key, value in node.items():
            if key in ("filters", "compressor", "codecs", "index_codecs"):
                for codec in value if isinstance(value, list) else [value]:
                    if isinstance(codec, dict):
                        yield str(codec.get("id", codec.get("name", "without a name")))
                    elif isinstance(codec, str):
                        yield codec
            if key != "attributes":  # what a user wrote, never a codec
                todo.append(value)
