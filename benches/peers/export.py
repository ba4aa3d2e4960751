"""The model of a GGUF file as the other engines read it, into a folder.

    python benches/peers/export.py MODEL.gguf FOLDER

- `model.onnx` with `model.onnx.data`: transformers' model by PyTorch's own exporter, from token ids `[1, positions]` to the last
  position's logits.
- `weights.f32` with `weights.json`: all weights one after the other, and of each its name, place and shape, matrices as
  `[in, out]`. For engines that have no reader of a model.
"""

import json
import sys
from pathlib import Path

import torch

from decoder import Decoder, check, published

POSITIONS = 64


class LastLogits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model(input_ids=ids, use_cache=False, logits_to_keep=1).logits


def write_onnx(model, folder):
    ids = (torch.arange(POSITIONS)[None],)
    path = str(folder / "model.onnx")
    names = {"input_names": ["ids"], "output_names": ["logits"]}
    with torch.no_grad():
        torch.onnx.export(LastLogits(model), ids, path, dynamo=True, external_data=True, opset_version=18, **names)


def write_weights(decoder, folder):
    weights = {"embedding": decoder.embedding, "norm": decoder.norm}
    for layer, block in enumerate(decoder.blocks):
        for name, weight in vars(block).items():
            weights[f"{layer}.{name}"] = weight.T if weight.dim() == 2 else weight
    listed, at = {}, 0
    with open(folder / "weights.f32", "wb") as file:
        for name, weight in weights.items():
            listed[name] = {"at": at, "shape": list(weight.shape)}
            file.write(weight.contiguous().numpy().tobytes())
            at += weight.numel()
    shape = {name: getattr(decoder, name) for name in ["n_layers", "n_heads", "n_kv_heads", "d_head", "eps", "theta"]}
    (folder / "weights.json").write_text(json.dumps({**shape, "weights": listed}))


def main():
    gguf, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    model = published(gguf)
    decoder = Decoder(model)
    check(decoder, model, list(range(100, 110)))
    write_weights(decoder, folder)
    write_onnx(model, folder)


if __name__ == "__main__":
    main()
