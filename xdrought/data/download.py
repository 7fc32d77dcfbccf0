"""One file over https into a cache: of bounded size, retried, checked before it is kept, never half-written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from xdrought import files

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def cache_folder() -> Path:
    """``$XDROUGHT_CACHE_DIR``, or the system's folder for caches; not created here."""
    folder = os.environ.get("XDROUGHT_CACHE_DIR")
    if folder:
        return Path(folder)
    import pooch

    return Path(pooch.os_cache("xdrought"))


def require_https(url: str) -> None:
    """Raise unless the address is https; plain http may only go to this machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise ValueError(f"{url!r} is not an https address; give one, base_url='https://...'")


def fetch(
    url: str,
    target: Path,
    check: Callable[[Path], object],
    *,
    limit: int,
    retries: int = 3,
    wait: float = 1.0,
    timeout: float = 30.0,
) -> None:
    """Download to a temporary file beside `target`, `check` it, then move it in place in one step.

    Parameters
    ----------
    url : str
        An https address.
    target : pathlib.Path
        Where the file goes; its folder is made. An older file stays until the new one is complete.
    check : callable
        Raises ValueError when the file is not what it should be; such a file never gets to `target`.
    limit : int
        Bytes that no such file has; what is longer is cut off and refused.
    retries : int
        Further tries after a failed one; a missing file (404) is not tried again.
    wait : float
        Seconds before the first new try, doubled each time.
    timeout : float
        Seconds without an answer before a try counts as failed.

    Raises
    ------
    FileNotFoundError
        The server has no such file.
    ConnectionError
        It could not be had, or was wrong each time; nothing was written.
    """
    import requests
    from pooch import HTTPDownloader

    require_https(url)
    download = HTTPDownloader(timeout=timeout, hooks={"response": _refuse_insecure_redirect()})
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(retries + 1):
        try:
            with files.replacing(target) as part:
                with part.open("wb") as stream:
                    download(url, _Limited(stream, limit), None)
                check(part)
            return
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code == 404:
                raise FileNotFoundError(f"{url} does not exist") from error
            problem: Exception = error
        except (requests.RequestException, ValueError) as error:
            problem = error
        if attempt < retries:
            time.sleep(wait * 2**attempt)
    raise ConnectionError(
        f"{url} could not be had in {retries + 1} tries; the last one: {problem}. Nothing was "
        f"kept: try again later, or get the file by hand and give its path"
    ) from problem


class _Limited:
    """A file that takes so many bytes and no more, whatever the server sends or unpacks to."""

    def __init__(self, stream: BinaryIO, limit: int):
        self.stream, self.limit, self.written = stream, limit, 0

    def write(self, chunk: bytes) -> None:
        self.written += len(chunk)
        if self.written > self.limit:
            raise ValueError(f"the answer is longer than {self.limit} bytes, which no such file is")
        self.stream.write(chunk)

    def flush(self) -> None:
        self.stream.flush()


def _refuse_insecure_redirect() -> Callable[..., None]:
    def hook(response: Any, *args: Any, **kwargs: Any) -> None:
        if response.is_redirect:
            require_https(urljoin(response.url, response.headers["location"]))

    return hook
