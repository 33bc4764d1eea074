"""The oracles can fail: a cell whose blocks, parameters, state fields, gates or directions are exchanged is seen.

A test of values is worth only what it would catch. So every cell of the package is changed on purpose, in each way in
which code of this kind goes wrong without any error, and the answer must leave the oracle's by far more than rounding.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, permutations

import pytest
import torch
from torch import Tensor

from unrolled import states
from unrolled.kernels.kernel import DIRECTIONS
from unrolled.layers.recurrent import Recurrent

from .oracles import all_oracles
from .trial import SAME, SEEN, H, Trial, apart, farthest, ours, theirs, trial

Change = dict[str, Tensor]

#: Of more things than this, every exchange of two is tried, and not every order.
MOST = 5


def orders(count: int) -> list[tuple[int, ...]]:
    """Every order of `count` things but the one they stand in."""
    straight = tuple(range(count))
    if count <= MOST:
        return [order for order in permutations(straight) if order != straight]
    swapped = []
    for a, b in combinations(straight, 2):
        order = list(straight)
        order[a], order[b] = b, a
        swapped.append(tuple(order))
    return swapped


def blocks_of(it: Trial, name: str, parameter: Tensor) -> Iterator[tuple[int, int]]:
    """(axis, count) wherever a parameter is made of two blocks or more, of H each or as the oracle says."""
    if name in it.oracle.blocks:
        yield 0, it.oracle.blocks[name]
    for axis, size in enumerate(parameter.shape):
        if size % H == 0 and size // H > 1:
            yield axis, size // H


def reordered(parameter: Tensor, axis: int, order: tuple[int, ...]) -> Tensor:
    blocks = parameter.chunk(len(order), axis)
    return torch.cat([blocks[i] for i in order], axis)


def block_changes(it: Trial) -> Iterator[tuple[str, Change]]:
    """The blocks of one parameter in another order; and those of all that have one block a gate, together."""
    per_gate = {}
    for name, parameter in it.cell.named_parameters():
        for axis, count in blocks_of(it, name, parameter):
            for order in orders(count):
                yield f"{name} axis {axis} {order}", {name: reordered(parameter, axis, order)}
            if axis == 0 and count == len(it.cell.GATES):
                per_gate[name] = parameter
    if len(per_gate) > 1:
        for order in orders(len(it.cell.GATES)):
            yield f"{'+'.join(per_gate)} {order}", {n: reordered(p, 0, order) for n, p in per_gate.items()}


def parameter_changes(it: Trial) -> Iterator[tuple[str, Change]]:
    """Parameters of equal shape, exchanged; and those of several shapes together, U_f and b_f with U_i and b_i, say."""
    groups: dict[tuple, list[tuple[str, Tensor]]] = defaultdict(list)
    for name, parameter in it.cell.named_parameters():
        groups[tuple(parameter.shape), parameter.dtype].append((name, parameter))
    by_count: dict[int, list[list[tuple[str, Tensor]]]] = defaultdict(list)
    for group in groups.values():
        by_count[len(group)].append(group)
    for count, alike in by_count.items():
        for order in orders(count):
            changes = [{group[a][0]: group[b][1] for a, b in enumerate(order) if a != b} for group in alike]
            for change in changes:
                yield f"{'+'.join(change)} {order}", change
            if len(changes) > 1:
                together = {name: value for change in changes for name, value in change.items()}
                yield f"{'+'.join(together)} {order}", together


def transposed(it: Trial) -> Iterator[tuple[str, Change]]:
    """Square blocks, transposed."""
    for name, parameter in it.cell.named_parameters():
        if parameter.dim() == 2 and parameter.shape[1] == H and parameter.shape[0] % H == 0:
            yield f"{name} transposed", {name: torch.cat([block.T for block in parameter.split(H)])}


def changed(it: Trial, change: Change) -> Trial:
    cell = copy.deepcopy(it.cell)
    with torch.no_grad():
        for name, value in change.items():
            cell.get_parameter(name).copy_(value)
    return Trial(cell, it.oracle, it.x, it.state, it.condition)


def is_no_change(it: Trial, change: Change) -> bool:
    """Whether only parameters were exchanged that the oracle calls alike."""
    source = {id(parameter): name for name, parameter in it.cell.named_parameters()}
    return all(
        any({name, source.get(id(value))} <= together for together in it.oracle.alike) for name, value in change.items()
    )


@pytest.mark.parametrize("kind", [block_changes, parameter_changes, transposed], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", all_oracles())
def test_exchanged_weights_are_seen(name, kind):
    it = trial(name)
    expected = theirs(it)
    unseen, seen = [], []
    for label, change in kind(it):
        distance = farthest(ours(changed(it, change).a_pass()), expected)[1]
        if is_no_change(it, change):
            assert distance < SAME, f"{label} are said to be alike and are not"
        else:
            (seen if distance > SEEN else unseen).append(label)
    assert not unseen, f"{len(unseen)} of {len(unseen) + len(seen)} exchanges go unseen"


def exchanged_leaves(state: states.State) -> Iterator[tuple[tuple[int, ...], states.State]]:
    """Every other order of the leaves that have one shape and type."""
    leaves = [leaf for _, leaf in states.leaves(state)]
    for order in orders(len(leaves)):
        new = [leaves[i] for i in order]
        if all((a.shape, a.dtype) == (b.shape, b.dtype) for a, b in zip(leaves, new, strict=True)):
            parts = iter(new)
            yield order, states.map_state(lambda _, parts=parts: next(parts), state)


@pytest.mark.parametrize("name", all_oracles())
def test_exchanged_state_fields_are_seen_in_what_comes_in_and_what_goes_out(name):
    it = trial(name)
    expected = theirs(it)
    for order, state in exchanged_leaves(it.state):
        assert farthest(ours(it.a_pass(state=state)), expected)[1] > SEEN, f"leaves {order} in"
        final = tuple(expected.state[i] for i in order)
        assert max(apart(a, b) for a, b in zip(final, expected.state, strict=True)) > SEEN, f"leaves {order} out"


@pytest.mark.parametrize("name", all_oracles())
def test_exchanged_names_of_gates_are_seen(name):
    gates = theirs(trial(name)).gates
    for a, b in combinations(gates, 2):
        assert apart(gates[a], gates[b]) > SEEN, (a, b)


@pytest.mark.parametrize("name", all_oracles())
def test_exchanged_directions_are_seen(name):
    it = trial(name)
    for direction, other in (DIRECTIONS, DIRECTIONS[::-1]):
        assert farthest(ours(it.a_pass(direction=other)), theirs(it, direction))[1] > SEEN


@pytest.mark.parametrize("name", all_oracles())
def test_a_layer_of_two_directions_has_forward_first_and_its_weights_where_they_belong(name):
    it = trial(name)
    other = changed(it, {n: p + 0.5 for n, p in it.cell.named_parameters()})
    cells = iter([it.cell, other.cell])
    layer = Recurrent(lambda _, __: next(cells), it.cell.input_size, [H], two_directions=True)
    with torch.no_grad():
        output, (final,) = layer(it.x, ((it.state, it.state),), condition=it.condition)
    for place, (half, one, direction) in enumerate(zip(output.chunk(2, -1), (it, other), DIRECTIONS, strict=True)):
        expected = theirs(one, direction)
        leaves = tuple(leaf.numpy() for _, leaf in states.leaves(final[place]))
        assert farthest(expected._replace(outputs=half.numpy(), state=leaves), expected)[1] < SAME
        for swapped in (theirs(one, DIRECTIONS[1 - place]), theirs((other, it)[place], direction)):
            assert farthest(swapped, expected)[1] > SEEN


@pytest.mark.parametrize("name", all_oracles())
def test_a_cell_of_two_gates_or_more_has_something_to_exchange(name):
    it = trial(name)
    assert len(it.cell.GATES) < 2 or any(True for kind in (block_changes, parameter_changes) for _ in kind(it))
