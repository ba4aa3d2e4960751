"""Holds the command line against reference numbers of SmolLM2-135M-Instruct.

    python tests/check_against_reference.py REFERENCE SECATEUR MODEL [--device flex]

REFERENCE is a folder with `smollm2_scores.json` and `smollm2_ig.npz` (PyTorch and transformers in float32, from
the same GGUF file); SECATEUR the binary; MODEL the GGUF file. Needs numpy and safetensors. Runs `secateur score` on
all of the reference's items and `secateur attribute` (site post, path per_layer, positions last, target
choice_first_token, 20 midpoints) on those that have gradients, prints the largest differences, and exits with 1 when
one is too large. A value that is no number is too large.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors import safe_open

SUM_TOLERANCE = 2e-3
"""Of a choice's summed log-likelihood, in nats."""
IG_TOLERANCE = 1e-3
"""Of a score, as a share of the layer's largest absolute score."""
STEPS = 20
PROMPT = ("Question: ", "\nAnswer:")


def items_of(references):
    """The reference's items in the form that the command line reads, one JSON object a line."""
    start, end = PROMPT
    lines = []
    for item in references:
        prompt = item["prompt"]
        assert prompt.startswith(start) and prompt.endswith(end), prompt
        context = prompt[len(start) : -len(end)]
        lines.append({"id": item["id"], "context": context, "choices": item["choices"], "gold": item["gold"]})
    return "".join(json.dumps(line) + "\n" for line in lines)


def run(arguments):
    """Runs the binary and returns its seconds."""
    started = time.monotonic()
    done = subprocess.run([str(argument) for argument in arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}")
    return time.monotonic() - started


def check_scores(references, scores):
    """Prints a line per item; returns whether all agree."""
    print(f"{'item':<34} {'largest difference':>18}  prediction")
    largest, agree = 0.0, len(scores["items"]) == len(references)
    for expected, found in zip(references, scores["items"]):
        assert found["id"] == expected["id"], (found["id"], expected["id"])
        sums = np.array([choice["log_likelihood"] for choice in found["choices"]])
        difference = np.abs(sums - expected["sum_loglik"]).max()
        tokens = [choice["tokens"] for choice in found["choices"]]
        notes = [] if found["predicted"] == expected["pred_sum"] else ["other prediction"]
        notes += [] if tokens == [len(ids) for ids in expected["choice_ids"]] else ["other tokens"]
        largest, agree = np.maximum(largest, difference), agree and not notes
        print(f"{expected['id']:<34} {difference:>18.2e}  {', '.join(notes) or 'same'}")
    print(f"log-likelihoods: largest difference {largest:.2e}, allowed {SUM_TOLERANCE:.0e}\n")
    return agree and largest <= SUM_TOLERANCE


def check_gradients(reference, indices, path):
    """Prints a line per layer; returns whether all agree."""
    with safe_open(path, framework="numpy") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}
        items = json.loads((file.metadata() or {}).get("items", "[]"))
    n_layers = sum(name.startswith("layers.") for name in found)
    agree = n_layers == sum(name.startswith(f"item{indices[0]}/") and name.endswith("/mid_logp") for name in reference)
    print(f"{len(items)} items attributed; differences are shares of the layer's largest absolute score")
    print(f"{'layer':>5} " + " ".join(f"{f'item {index}':>10} {'max |IG|':>10} {'gap':>10}" for index in indices))
    largest = 0.0
    for layer in range(n_layers):
        cells = []
        for row, index in enumerate(indices):
            expected = reference[f"item{index}/L{layer:02}/mid_logp"]
            scale = np.abs(expected).max()
            scores = found[f"layers.{layer}"]
            if scores.shape != (len(indices), len(expected)):
                sys.exit(f"layers.{layer} has shape {scores.shape}, not {(len(indices), len(expected))}")
            difference = np.abs(scores[row] - expected).max() / scale
            largest = np.maximum(largest, difference)
            cells.append(f"{difference:>10.1e} {scale:>10.4f} {found['gap'][row, layer]:>10.4f}")
        print(f"{layer:>5} " + " ".join(cells))
    print(f"Integrated Gradients: largest difference {largest:.2e}, allowed {IG_TOLERANCE:.0e}")
    return agree and largest <= IG_TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("secateur", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", default="flex")
    options = parser.parse_args()
    references = json.loads((options.reference / "smollm2_scores.json").read_text())["items"]
    gradients = np.load(options.reference / "smollm2_ig.npz")
    indices = sorted({int(name.split("/")[0].removeprefix("item")) for name in gradients.files})

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        common = ["--model", options.model, "--device", options.device, "--template", "question-answer"]
        items, out = folder / "items.jsonl", folder / "scores.json"
        items.write_text(items_of(references))
        seconds = run([options.secateur, "score", *common, "--items", items, "--out", out])
        print(f"score: {seconds:.1f} s for {len(references)} items, loading included")
        scores_agree = check_scores(references, json.loads(out.read_text()))

        items, out = folder / "attributed.jsonl", folder / "ig.safetensors"
        items.write_text(items_of([references[index] for index in indices]))
        settings = ["--path", "per_layer", "--site", "post", "--positions", "last", "--confidence", "0"]
        settings += ["--target", "choice_first_token", "--steps", STEPS, "--rule", "middle"]
        seconds = run([options.secateur, "attribute", *common, "--items", items, *settings, "--out", out])
        print(f"attribute: {seconds:.1f} s for {len(indices)} items, loading included")
        gradients_agree = check_gradients(gradients, indices, out)
    sys.exit(0 if scores_agree and gradients_agree else 1)


if __name__ == "__main__":
    main()
