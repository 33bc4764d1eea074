"""Several processes that train one model together, started by `torchrun`: gloo on the CPU, NCCL on CUDA.

Each holds the whole model and takes some rows of every global batch. The loop adds up gradients and counts itself;
whatever is decided (to stop, to go back, to skip) is decided on sums that all have, so all decide alike. The first
process alone writes, validates and samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from unrolled import states
from unrolled.errors import OptionError, TrainingError, UserError
from unrolled.states import State

#: After a kill, a rendezvous can wait for a process that is no more: better an error than silence.
STARTUP = timedelta(seconds=60)
#: While the first process validates, the others wait.
PATIENCE = timedelta(days=1)
#: Bytes of a message that the processes share, when something has gone wrong.
MESSAGE = 512


@dataclass(frozen=True)
class Team:
    """This process among the others. Alone, every method gives back what it was given."""

    device: torch.device
    rank: int = 0
    count: int = 1
    group: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        return self.rank == 0

    def rows(self, batch_size: int) -> tuple[int, int]:
        """(first, count) of this process's rows of a global batch: as even as can be, the longer shares first."""
        if batch_size < self.count:
            raise OptionError(
                f"a batch of {batch_size} rows cannot be shared by {self.count} processes; "
                f"start at most {batch_size}, or take a larger batch"
            )
        share, over = divmod(batch_size, self.count)
        return self.rank * share + min(self.rank, over), share + (self.rank < over)

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """The numbers, in float64, added up over the processes."""
        if self.count == 1:
            return list(numbers)
        return self._reduced(torch.tensor(numbers, dtype=torch.float64, device=self.device)).tolist()

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add up the gradients in place, in one flat buffer. A parameter that none has a gradient for keeps none."""
        if self.count == 1:
            return
        wide = any(p.dtype in (torch.float64, torch.complex128) for p in parameters)
        present = [p.new_zeros(1) if p.grad is None else p.new_ones(1) for p in parameters]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        pieces = [_real(part) for part in (*present, *gradients)]
        flat = torch.cat([piece.reshape(-1).to(torch.float64 if wide else torch.float32) for piece in pieces])
        summed = self._reduced(flat).split([piece.numel() for piece in pieces])
        for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            if float(summed[i][0]) > 0:
                piece = pieces[len(parameters) + i]
                piece.copy_(summed[len(parameters) + i].view_as(piece))
                parameter.grad = gradient

    def gather_rows(self, state: State, batch_size: int) -> State:
        """The state of the whole global batch, from this process's rows of it; summed as bytes, so bit for bit."""
        if self.count == 1:
            return states.map_state(torch.clone, state)
        first, count = self.rows(batch_size)

        def gather(leaf: Tensor) -> Tensor:
            if leaf.shape[0] != count:
                raise TrainingError(f"a state leaf has {leaf.shape[0]} rows; this process holds {count} of the batch")
            own = leaf.reshape(count, -1).contiguous().view(torch.uint8)
            whole = own.new_zeros(batch_size, own.shape[1])
            whole[first : first + count] = own
            return self._reduced(whole).view(leaf.dtype).reshape(batch_size, *leaf.shape[1:])

        return states.map_state(gather, state)

    def own_rows(self, state: State, batch_size: int) -> State:
        """This process's rows of a state of the whole global batch."""
        first, count = self.rows(batch_size)
        return states.select(state, slice(first, first + count))

    def share(self, message: str) -> str:
        """The processes' messages, those that are not empty, one after the other; for all the same."""
        if self.count == 1:
            return message
        own = message.encode("utf-8")[:MESSAGE]
        board = torch.zeros(self.count, MESSAGE, dtype=torch.uint8, device=self.device)
        board[self.rank, : len(own)] = torch.tensor(list(own), dtype=torch.uint8)
        lines = [bytes(line).rstrip(b"\0").decode("utf-8", "ignore") for line in self._reduced(board).tolist()]
        return "; ".join(dict.fromkeys(line for line in lines if line))

    @contextmanager
    def together(self) -> Iterator[None]:
        """A user's mistake that one process meets within it is raised by all, and none is left waiting."""
        mistake: UserError | None = None
        try:
            yield
        except UserError as error:
            mistake = error
        said = self.share("" if mistake is None else str(mistake))
        if mistake is not None:
            raise mistake
        if said:
            raise UserError(said)

    def _reduced(self, tensor: Tensor) -> Tensor:
        try:
            dist.all_reduce(tensor, group=self.group)
        except RuntimeError as error:
            raise TrainingError(
                f"another of the {self.count} processes is gone ({str(error).splitlines()[0]}); "
                "see what it said, and resume"
            ) from error
        return tensor


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """The team that `torchrun` started, left again at the end; a team of one where nothing did."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Team(device)
        return
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, timeout=STARTUP)
        dist.barrier()
        group = dist.new_group(timeout=PATIENCE)
        assert isinstance(group, dist.ProcessGroup)  # every process is in it
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"process {rank} of {count} did not find the others within {STARTUP.seconds} s "
            f"({str(error).splitlines()[0]}); start them anew with torchrun"
        ) from error
    try:
        yield Team(device, rank, count, group)
    finally:
        dist.destroy_process_group()


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
