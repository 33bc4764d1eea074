"""The same layer for ONNX Runtime: one node, with torch's weights in ONNX's order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

#: torch's gate blocks in the order in which ONNX has them: LSTM input, output, forget, candidate; GRU update, reset.
BLOCKS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
FLOAT = onnx.TensorProto.FLOAT


def session(module: nn.LSTM | nn.GRU, int8: bool, threads: int) -> onnxruntime.InferenceSession:
    """A session of one layer: inputs x and the state's leaves, outputs the output and the leaves after.

    int8: dynamically quantised, as `quantize_dynamic` does it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plain.onnx")
        onnx.save(_model(module), str(path))
        if int8:
            quantised = Path(folder, "int8.onnx")
            quantize_dynamic(str(path), str(quantised), weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM"])
            path = quantised
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def runner(session: onnxruntime.InferenceSession, x: Tensor, state: tuple[Tensor, ...]) -> Any:
    """A call without arguments that runs the session, its inputs and outputs bound beforehand: its quickest way."""
    binding = session.io_binding()
    for given, tensor in zip(session.get_inputs(), (x, *state), strict=True):
        binding.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(tensor.numpy()))
    for wanted in session.get_outputs():
        binding.bind_output(wanted.name)
    return lambda: session.run_with_iobinding(binding)


def outputs(session: onnxruntime.InferenceSession, x: Tensor, state: tuple[Tensor, ...]) -> list[np.ndarray]:
    """What it gives: the output (T, B, H), and the leaves of the state, (1, B, H) each."""
    given = {one.name: tensor.numpy() for one, tensor in zip(session.get_inputs(), (x, *state), strict=True)}
    output, *leaves = session.run(None, given)
    return [output[:, 0], *leaves]


def _model(module: nn.LSTM | nn.GRU) -> onnx.ModelProto:
    kind = "LSTM" if isinstance(module, nn.LSTM) else "GRU"
    leaves = ("h", "c")[: 2 if kind == "LSTM" else 1]
    F, H = module.input_size, module.hidden_size

    def ordered(weight: Tensor) -> np.ndarray:
        blocks = weight.detach().chunk(len(BLOCKS[kind]), 0)
        return np.concatenate([blocks[k].numpy() for k in BLOCKS[kind]])

    weights = {
        "W": ordered(module.weight_ih_l0)[None],
        "R": ordered(module.weight_hh_l0)[None],
        "B": np.concatenate([ordered(module.bias_ih_l0), ordered(module.bias_hh_l0)])[None],
    }
    attributes = {"hidden_size": H, **({"linear_before_reset": 1} if kind == "GRU" else {})}
    node = onnx.helper.make_node(
        kind, ["x", "W", "R", "B", "", *leaves], ["y", *(f"{leaf}_after" for leaf in leaves)], **attributes
    )
    graph = onnx.helper.make_graph(
        [node],
        "layer",
        [
            onnx.helper.make_tensor_value_info("x", FLOAT, ["T", "B", F]),
            *(onnx.helper.make_tensor_value_info(leaf, FLOAT, [1, "B", H]) for leaf in leaves),
        ],
        [
            onnx.helper.make_tensor_value_info("y", FLOAT, ["T", 1, "B", H]),
            *(onnx.helper.make_tensor_value_info(f"{leaf}_after", FLOAT, [1, "B", H]) for leaf in leaves),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
