"""PyTorch's side of `cargo xtask bench --peers`, on one thread: a line of JSON on standard input asks for a work, a line on
standard output says how long it took and what came of it.

    python benches/peers/native.py MODEL.gguf
"""

import json
import sys
import time
from pathlib import Path

import torch

from decoder import Decoder, check, published


def forward(decoder, ids):
    with torch.inference_mode():
        started = time.perf_counter()
        logits = decoder.forward(ids)
        return {"seconds": time.perf_counter() - started, "values": [logits.tolist()]}


def attribution(decoder, ids, token, steps):
    started = time.perf_counter()
    scores = decoder.attribution(ids, token, steps)
    return {"seconds": time.perf_counter() - started, "values": scores.tolist()}


def products(_, sizes):
    """So many products of `[rows, depth]` and `[depth, columns]`, which lies as a model's weights do; the output is new each time."""
    seconds = 0.0
    with torch.inference_mode():
        for count, rows, depth, columns in sizes:
            x, weight = torch.randn(rows, depth), torch.randn(columns, depth)
            started = time.perf_counter()
            for _ in range(count):
                torch.mm(x, weight.T)
            seconds += time.perf_counter() - started
    return {"seconds": seconds}


def main():
    torch.set_num_threads(1)
    model = published(Path(sys.argv[1]))
    decoder = Decoder(model)
    check(decoder, model, list(range(100, 110)))
    works = {"forward": forward, "attribution": attribution, "products": products}
    for line in sys.stdin:
        asked = json.loads(line)
        work = asked.pop("work")
        try:
            done = works[work](decoder, **asked)
        except Exception as error:
            done = {"seconds": 0, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
