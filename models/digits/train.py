#!/usr/bin/env python3
"""Trains the digits classifier that `bartizan up` guards by default.

Reproduces every file beside it from scikit-learn's bundled digits (no download):

    pip install scikit-learn onnx && python3 train.py

Writes digits.onnx (the model), digits.profile.json (allowed range and reference profile of the
inputs, from training rows only) and digits.rows (held-out rows for drills: `split label pixels`,
a pixel being one base-17 digit), and prints the held-out accuracy that the model card states.
"""
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
HIDDEN = 32
SPLITS = ("honest", "attacker", "evaluation")


def main() -> None:
    data = load_digits()
    images, labels = data.data.astype(np.float32), data.target
    train_x, held_x, train_y, held_y = train_test_split(
        images, labels, test_size=900, random_state=0, stratify=labels
    )
    classifier = MLPClassifier(
        hidden_layer_sizes=(HIDDEN,), alpha=1e-2, max_iter=2000, random_state=0
    ).fit(train_x / 16.0, train_y)
    accuracy = classifier.score(held_x / 16.0, held_y)

    weights = {
        "scale": np.array([1 / 16.0], np.float32),
        "w1": classifier.coefs_[0].astype(np.float32),
        "b1": classifier.intercepts_[0].astype(np.float32),
        "w2": classifier.coefs_[1].astype(np.float32),
        "b2": classifier.intercepts_[1].astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["image", "scale"], ["scaled"]),
            helper.make_node("Gemm", ["scaled", "w1", "b1"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="bartizan")
    model.ir_version = 8
    onnx.checker.check_model(model)
    (HERE / "digits.onnx").write_bytes(model.SerializeToString())

    reference = train_x[np.random.default_rng(0).permutation(len(train_x))[:256]].astype(int)
    profile = {
        "v": 1,
        "input": "image",
        "minimum": 0.0,
        "maximum": 16.0,
        "rows": reference.tolist(),
    }
    (HERE / "digits.profile.json").write_text(json.dumps(profile, separators=(",", ":")) + "\n")

    digits = "0123456789abcdefg"
    lines = []
    for index, (row, label) in enumerate(zip(held_x.astype(int), held_y)):
        lines.append(f"{SPLITS[index % 3]} {label} {''.join(digits[pixel] for pixel in row)}")
    (HERE / "digits.rows").write_text("\n".join(lines) + "\n")
    print(f"held-out accuracy {accuracy:.4f} on {len(held_y)} rows, trained on {len(train_y)}")


if __name__ == "__main__":
    main()
