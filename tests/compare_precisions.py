"""How far results move when weights are held smaller than in f32.

    python tests/compare_precisions.py SECATEUR MODEL ITEMS [--items N] [--attributed N] [--device wgpu]

SECATEUR is the command line's program, MODEL and ITEMS what its options of these names take. Every item is scored in each
precision; the first few are attributed with the preset `fast` and no confidence threshold. Printed, against f32: the
largest and the mean difference of a choice's log-likelihood in nats, predictions that change, and the largest
difference of a neuron's score as a share of its layer's largest. Needs numpy and safetensors.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

PRECISIONS = ["f32", "f16", "int8"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("secateur")
    parser.add_argument("model")
    parser.add_argument("items", type=Path)
    parser.add_argument("--items", dest="n_items", type=int, default=100)
    parser.add_argument("--attributed", type=int, default=4)
    parser.add_argument("--device", default="flex")
    given = parser.parse_args()
    lines = given.items.read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "scored.jsonl").write_text("\n".join(lines[: given.n_items]))
        (folder / "attributed.jsonl").write_text("\n".join(lines[: given.attributed]))

        def run(command, items, precision, *rest):
            arguments = ["--model", given.model, "--items", folder / items, "--precision", precision]
            subprocess.run(
                [given.secateur, command, "--quiet", "--device", given.device, *arguments, *rest], check=True
            )

        sums, predicted, scores = {}, {}, {}
        for precision in PRECISIONS:
            run("score", "scored.jsonl", precision, "--out", folder / "scores.json")
            found = json.loads((folder / "scores.json").read_text())["items"]
            sums[precision] = np.array([choice["log_likelihood"] for item in found for choice in item["choices"]])
            predicted[precision] = [item["predicted"] for item in found]
            out = folder / "ig.safetensors"
            run("attribute", "attributed.jsonl", precision, "--preset", "fast", "--confidence", "0", "--out", out)
            tensors = load_file(out)
            scores[precision] = [tensors[f"layers.{layer}"] for layer in range(len(tensors) - 1)]

    items = len(predicted["f32"])
    print(f"{items} items, {len(sums['f32'])} choices; {len(scores['f32'][0])} items attributed")
    for precision in PRECISIONS[1:]:
        difference = np.abs(sums[precision] - sums["f32"])
        flips = sum(a != b for a, b in zip(predicted[precision], predicted["f32"]))
        shares = [
            np.abs(a - b).max() / np.abs(b).max() for a, b in zip(scores[precision], scores["f32"])
        ]
        print(
            f"{precision:5} log-likelihood: largest {difference.max():.1e}, mean {difference.mean():.1e} nats; "
            f"{flips} of {items} predictions change; score: largest {max(shares):.1e} of its layer's largest"
        )


if __name__ == "__main__":
    main()
