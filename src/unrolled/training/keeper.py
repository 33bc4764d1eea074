"""One training's checkpoints among several processes: the first writes, all read, and each holds its own rows."""

from __future__ import annotations

import time

from unrolled.errors import RunError
from unrolled.models.model import Model
from unrolled.training import snapshot
from unrolled.training.checkpoint import Checkpoints
from unrolled.training.optimisers import Optimiser
from unrolled.training.processes import Team
from unrolled.training.rollback import Trouble
from unrolled.training.snapshot import Progress


class Keeper:
    """Every method is called by all processes together.

    file, digest, step: the checkpoint that was last saved or restored; of a saved one only the first process knows
        file and digest. seconds: what the last save took.
    """

    def __init__(
        self, model: Model, optimiser: Optimiser, team: Team, checkpoints: Checkpoints, batch_size: int
    ) -> None:
        self.model, self.optimiser, self.team = model, optimiser, team
        self.checkpoints, self.batch_size = checkpoints, batch_size
        self.file, self.digest, self.step = "", "", -1
        self.seconds = 0.0

    def latest(self, resume: bool) -> Progress | None:
        """Where to go on from; None to begin anew. RunError where a training is in the way of a new one."""
        file = ""
        with self.team.together():
            if self.team.first:
                entries = self.checkpoints.entries()
                if entries and not resume:
                    raise RunError(
                        f"{self.checkpoints.folder} holds a training of {entries[-1].step} steps already; "
                        "resume it, or train in another folder"
                    )
                newest = self.checkpoints.latest()
                file = "" if newest is None else newest.entry.file
        file = self.team.share(file)
        return self._restore(file) if file else None

    def save(self, at: Progress, regular: bool, best: bool = False) -> None:
        """Write where training stands."""
        began = time.monotonic()
        if regular:
            at.story.back = 0
        state = None if at.state is None else self.team.gather_rows(at.state, self.batch_size)
        with self.team.together():
            if self.team.first:
                tensors, facts = snapshot.pack(self.model, self.optimiser, at, state)
                entry = self.checkpoints.save(tensors, facts, regular=regular, best=best)
                self.file, self.digest = entry.file, entry.digest
        self.step = at.step
        self.seconds = time.monotonic() - began

    def go_back(self, before: Progress, trouble: Trouble, number: int) -> Progress:
        """To a regular checkpoint, because of batch `number`; TrainingError if that was tried too often."""
        first = self.team.first
        targets = [entry.file for entry in self.checkpoints.rollback_targets()] if first else []
        chosen = before.story.go_back(trouble, number, int(self.team.sum([len(targets)])[0]))
        after = self._restore(self.team.share(targets[chosen] if first else ""))
        # What the trouble has taught stays, and so does a plan that was made after that checkpoint.
        after.story, after.best, after.plan = before.story, before.best, after.plan or before.plan
        return after

    def _restore(self, file: str) -> Progress:
        with self.team.together():
            entry = next(entry for entry in self.checkpoints.entries() if entry.file == file)
            at = snapshot.unpack(self.checkpoints.load(entry), self.model, self.optimiser, self.batch_size)
        if at.state is not None:
            at.state = self.team.own_rows(at.state, self.batch_size)
        self.file, self.digest, self.step = entry.file, entry.digest, entry.step
        return at
