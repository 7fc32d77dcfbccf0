"""One file over https into a cache: of bounded size, retried, checked before it is kept, never half-written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
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

    require_https(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(retries + 1):
        try:
            with files.replacing(target) as part:
                with part.open("wb") as stream:
                    _download(url, _Limited(stream, limit), timeout)
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


_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 2**16


def _download(url: str, target: _Limited, timeout: float) -> None:
    """Write what is at an address; each redirect is looked at before it is followed, and no password is ever sent.

    ``~/.netrc`` and the environment's passwords are not read. Proxies and certificates of the environment are used.
    """
    import requests

    session = requests.Session()
    session.trust_env = False
    for _ in range(_MAX_REDIRECTS + 1):
        proxies = requests.utils.get_environ_proxies(url)
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        with session.get(
            url, timeout=timeout, stream=True, allow_redirects=False, proxies=proxies, verify=bundle
        ) as answer:
            if answer.status_code not in _REDIRECTS:
                answer.raise_for_status()
                for chunk in answer.iter_content(_CHUNK):
                    target.write(chunk)
                return
            url = _next_address(url, answer.headers.get("location", ""))
    raise ValueError(f"the address leads on more than {_MAX_REDIRECTS} times; the last one is {url!r}")


def _next_address(url: str, location: str) -> str:
    """Where a redirect leads: https, or from this machine to this machine."""
    target = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise ValueError(f"{url!r} leads on to {target!r}, which is not an https address")
    require_https(target)
    return target
