"""Checkpoints of a fit: finished runs and the one under way, refused where settings or data are others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdrought.models.training import Course, Training


class Checkpoint:
    """The file of one fit; without a path it does nothing.

    Parameters
    ----------
    path : str, pathlib.Path or None
        The file; if it is there, the fit goes on from it.
    settings : mapping
        All that the weights depend on, as JSON holds it: what was given, and sums of the data.

    Attributes
    ----------
    courses : list of Course
        The runs that were finished.

    Raises
    ------
    ValueError
        For a damaged file, or one of other settings or data.
    FileNotFoundError
        When there is no folder to write to.
    """

    def __init__(self, path: str | Path | None, settings: Mapping[str, Any], caller: str):
        self.path, self.settings = None if path is None else Path(path), json.loads(json.dumps(settings))
        self.courses: list[Course] = []
        self._tensors: dict[str, Any] = {}
        self._notes: dict[str, Any] = {}
        if self.path is None:
            return
        if not self.path.absolute().parent.is_dir():
            raise FileNotFoundError(f"{caller}: checkpoint {path} is in no folder; make {self.path.parent} first")
        if self.path.exists():
            self._read(self.path, caller)

    def _read(self, path: Path, caller: str) -> None:
        from xdrought.models.checkpoint import read, restored_course

        self._tensors, self._notes = read(path, caller)
        found = self._notes.get("settings", {})
        other = [name for name in {**found, **self.settings} if found.get(name) != self.settings.get(name)]
        if other:
            said = ", ".join(f"{name}={found.get(name)!r}, now {self.settings.get(name)!r}" for name in other)
            raise ValueError(
                f"{caller}: checkpoint {path} was made with {said}; call with the same settings and data to go "
                f"on, name another path, or delete it to start anew"
            )
        self.courses = [
            restored_course(self._tensors, notes, f"run{k}") for k, notes in enumerate(self._notes["courses"])
        ]

    def resume(self, training: Training) -> None:
        """Put the training of the run after the finished ones where it was."""
        from xdrought.models.checkpoint import restore

        if self._notes.get("under_way"):
            restore(training, self._tensors, self._notes["under_way"])
        self._tensors, self._notes = {}, {}

    def save(self, finished: Sequence[Course], training: Training | None) -> None:
        """Replace the file."""
        if self.path is None:
            return
        from xdrought.models.checkpoint import course_state, state_of, write
        from xdrought.models.processes import rank

        tensors, under_way = ({}, None) if training is None else state_of(training)
        notes = []
        for k, course in enumerate(finished):
            more, note = course_state(course, f"run{k}")
            tensors |= more
            notes.append(note)
        if rank() == 0:
            write(self.path, tensors, {"settings": self.settings, "courses": notes, "under_way": under_way})
