#!/usr/bin/env python3
"""Compares `bartizan model convert` with torch.load, bit for bit, and times it on a large checkpoint.

Run with an interpreter that has PyTorch (Debian's python3-torch will do):

    python3 bench/convert.py BARTIZAN [--cases N] [--megabytes M]

Every case is saved by torch.save in the ZIP format and in the one before it, converted, and compared with what
torch.load gives, dtype, shape and bytes. Exit code 1 when one differs, or a file that runs something is not refused.
"""

import argparse
import collections
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

try:
    import torch
except ImportError:
    print("skipped: this interpreter has no torch", file=sys.stderr)
    sys.exit(0)

NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64",
}


def raw(tensor):
    """The elements' bytes in the order of their indices."""
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.numel() == 0:
        return b""
    if flat.dtype == torch.bool:
        flat = flat.to(torch.uint8)
    storage = flat.clone().storage()
    untyped = storage.untyped() if hasattr(storage, "untyped") else storage._untyped()
    return bytes(bytearray(untyped.tolist()))[: flat.numel() * flat.element_size()]


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    assert sum(entry["data_offsets"][1] - entry["data_offsets"][0] for entry in header.values()) == len(body)
    return {name: (e["dtype"], e["shape"], body[slice(*e["data_offsets"])]) for name, e in header.items()}


def flattened(value, name=""):
    if isinstance(value, torch.Tensor):
        yield name or "tensor", value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from flattened(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for key, inner in enumerate(value):
            yield from flattened(inner, f"{name}.{key}" if name else str(key))


def tensor(rng):
    kind = rng.choice(list(NAMES))
    shape = [rng.randrange(0, 6) for _ in range(rng.randrange(0, 4))]
    made = torch.randint(-100 if kind != torch.uint8 else 0, 100, shape, generator=None).to(kind)
    choice = rng.randrange(7)
    if choice == 0 and made.dim() >= 2:
        made = made.transpose(0, 1)
    elif choice == 1 and made.dim() >= 1 and made.shape[0] > 1:
        made = made[1:]
    elif choice == 2 and made.dim() >= 1:
        made = made[..., ::2]
    elif choice == 3 and made.dim() >= 1:
        made = made.unsqueeze(0).expand(3, *made.shape)
    elif choice == 4 and made.is_floating_point():
        made = torch.nn.Parameter(made, requires_grad=rng.random() < 0.5)
    return made


def checkpoint(rng):
    state = collections.OrderedDict((f"layer{i}.weight", tensor(rng)) for i in range(rng.randrange(1, 6)))
    if rng.random() < 0.5:
        shared = torch.arange(24.0).reshape(4, 6)
        state["tied"], state["row"], state["column"] = shared, shared[2], shared[:, 1]
    if rng.random() < 0.5:
        state._metadata = {"": {"version": 1}}
    choice = rng.randrange(4)
    if choice == 0:
        return state
    if choice == 1:
        return dict(state)
    if choice == 2:
        return {"model": state, "epoch": 7, "lr": 1e-3, "note": "x" * 2000, "big": 1 << 80, "done": True, "none": None,
                "size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16}
    optimizer = {"state": {0: {"step": 3, "momentum": tensor(rng)}}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}
    return {"state_dict": state, "optimizer": optimizer, "list": [tensor(rng), (tensor(rng), 1)]}


class Runs:
    def __reduce__(self):
        return os.system, ("true",)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bartizan")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=0)
    arguments = parser.parse_args()
    rng, wrong, tensors = random.Random(7), 0, 0
    torch.manual_seed(7)
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "in.pt"), os.path.join(folder, "out.safetensors")

        def convert(*more):
            command = [arguments.bartizan, "model", "convert", source, "--to", "safetensors", "--force", "-o", target, *more]
            return subprocess.run(command, capture_output=True, text=True)

        for case in range(arguments.cases):
            value = checkpoint(rng)
            for new in (True, False):
                torch.save(value, source, _use_new_zipfile_serialization=new)
                expected = {n: (NAMES[t.dtype], list(t.shape), raw(t)) for n, t in flattened(torch.load(source))}
                done = convert()
                if not expected:
                    wrong += done.returncode != 1
                    continue
                if done.returncode != 0 or read(target) != expected:
                    wrong += 1
                    print(f"case {case}, {'zip' if new else 'stream'}: differs: {done.stderr.strip()}")
                tensors += len(expected)
        refused = 0
        hostile = [{"weight": torch.ones(2), "run": Runs()}, torch.nn.Linear(2, 2), {"weight": torch.ones(2), "run": os.system},
                   {"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, {"s": torch.ones(2).to_sparse()}]
        for value in hostile:
            for new in (True, False):
                torch.save(value, source, _use_new_zipfile_serialization=new)
                if os.path.exists(target):
                    os.remove(target)
                done = convert()
                refused += done.returncode == 1 and not os.path.exists(target)
        wrong += refused != 2 * len(hostile)
        print(f"{arguments.cases} checkpoints in two formats, {tensors} tensors: {wrong} differ; {refused} of {2 * len(hostile)} others refused")
        if arguments.megabytes:
            side = 1024
            count = max(1, arguments.megabytes // 4)
            torch.save({f"layer{i}.weight": torch.randn(side, side) for i in range(count)}, source)
            convert()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter()
            convert()
            wall = time.perf_counter() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            start, begin = time.perf_counter(), time.process_time()
            state = torch.load(source)
            with open(target, "wb") as file:
                header, position = {}, 0
                for name, value in state.items():
                    end = position + value.numel() * value.element_size()
                    header[name] = {"dtype": NAMES[value.dtype], "shape": list(value.shape), "data_offsets": [position, end]}
                    position = end
                text = json.dumps(header).encode()
                file.write(len(text).to_bytes(8, "little") + text)
                for value in state.values():
                    file.write(memoryview(value.numpy()))
                os.fsync(file.fileno())
            peer, peer_cpu = time.perf_counter() - start, time.process_time() - begin
            print(f"{count * 4} MiB: bartizan {wall:.2f} s wall, {cpu:.2f} s CPU (with both digests); "
                  f"torch.load and writing, in process, {peer:.2f} s wall, {peer_cpu:.2f} s CPU")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
