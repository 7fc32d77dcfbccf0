"""Results that took long, kept in a folder: made once, read again, made anew when their settings change."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from xdrought.forecast import Forecaster, load_forecaster


@dataclass
class Workshop:
    """A folder of kept results.

    A result lies beside a note of the settings that it was made with, which is written last: what a killed run left
    half done is made again.
    """

    folder: Path
    common: Mapping[str, Any]
    say: Callable[[str], None] = print

    def dataset(self, name: str, settings: Mapping[str, Any], make: Callable[[], xr.Dataset]) -> xr.Dataset:
        """A Dataset, kept as netCDF."""
        path = self._made(name, ".nc", settings, lambda path: make().to_netcdf(path, engine="h5netcdf"))
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            return ds.load()

    def forecaster(self, name: str, settings: Mapping[str, Any], make: Callable[[Path], Forecaster]) -> Forecaster:
        """A trained network; `make` gets the path of a checkpoint, from which a killed training goes on."""
        checkpoint = self.folder / f"{name}-{_digest({**self.common, **settings})}.ckpt"
        path = self._made(name, ".xdrought", settings, lambda path: make(checkpoint).save(path))
        checkpoint.unlink(missing_ok=True)
        return load_forecaster(path)

    def folder_for(self, name: str, settings: Mapping[str, Any]) -> Path:
        """A folder for results that keep themselves, another one for other settings."""
        return self.folder / f"{name}-{_digest({**self.common, **settings})}"

    def _made(self, name: str, ending: str, settings: Mapping[str, Any], write: Callable[[Path], Any]) -> Path:
        path, note = self.folder / f"{name}{ending}", self.folder / f"{name}.json"
        wanted = {"settings": json.loads(_text({**self.common, **settings}))}
        if path.exists() and note.exists() and _read(note).get("settings") == wanted["settings"]:
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        began = time.process_time()
        partial = path.with_suffix(f".partial{ending}")
        write(partial)
        partial.replace(path)
        took = time.process_time() - began
        note.write_text(json.dumps({**wanted, "cpu_seconds": round(took, 1)}, indent=1), encoding="utf-8")
        self.say(f"   {name}: {took:.0f} CPU s")
        return path

    def cpu_seconds(self) -> dict[str, float]:
        """What each kept result cost when it was made."""
        notes = sorted(self.folder.glob("*.json"))
        return {note.stem: float(_read(note).get("cpu_seconds", 0)) for note in notes}


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(settings).encode()).hexdigest()[:12]


def _read(note: Path) -> dict[str, Any]:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        return {}
