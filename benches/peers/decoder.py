"""A Llama decoder in plain PyTorch, in f32: what one would write by hand to be fast.

The weights are those that transformers reads from a GGUF file; `check` holds the decoder against transformers' own.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM


def published(gguf: Path):
    """transformers' own model of a GGUF file."""
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval().requires_grad_(False)


class Block:
    """The weights of a block: `[out, in]` each. Queries, keys and values are one product, gate and up another."""

    def __init__(self, layer):
        attention, mlp = layer.self_attn, layer.mlp
        self.norm1 = layer.input_layernorm.weight
        self.qkv = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
        self.out = attention.o_proj.weight
        self.norm2 = layer.post_attention_layernorm.weight
        self.gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
        self.down = mlp.down_proj.weight


class Decoder:
    def __init__(self, model):
        config = model.config
        self.n_layers = config.num_hidden_layers
        self.n_heads = config.num_attention_heads
        self.n_kv_heads = config.num_key_value_heads
        self.d_head = config.head_dim
        self.eps = config.rms_norm_eps
        self.theta = config.rope_parameters["rope_theta"]
        self.blocks = [Block(layer) for layer in model.model.layers]
        self.embedding = model.model.embed_tokens.weight
        self.norm = model.model.norm.weight

    def angles(self, positions):
        """Cosines and sines `[positions, d_head]` of the rotation."""
        half = self.d_head // 2
        frequencies = self.theta ** (-torch.arange(half, dtype=torch.float32) / half)
        angles = positions[:, None].float() * frequencies
        return angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)

    def rotate(self, x, angles):
        cos, sin = angles
        half = self.d_head // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * cos + turned * sin

    def normed(self, x, weight):
        return F.rms_norm(x, (x.shape[-1],), weight, self.eps)

    def attended(self, block, x, angles, prefix=None):
        """The residual stream after attention, and this block's keys and values; `x` is `[rows, positions, d_model]`, a
        prefix's keys and values `[1, n_kv_heads, positions, d_head]`."""
        rows, positions, _ = x.shape
        n_q, n_kv = self.n_heads * self.d_head, self.n_kv_heads * self.d_head
        parts = F.linear(self.normed(x, block.norm1), block.qkv).split([n_q, n_kv, n_kv], -1)
        heads = [part.view(rows, positions, -1, self.d_head).transpose(1, 2) for part in parts]
        query, key, value = self.rotate(heads[0], angles), self.rotate(heads[1], angles), heads[2]
        own = key, value
        if prefix is not None:
            key = torch.cat([prefix[0].expand(rows, -1, -1, -1), key], 2)
            value = torch.cat([prefix[1].expand(rows, -1, -1, -1), value], 2)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=prefix is None, enable_gqa=True)
        mixed = mixed.transpose(1, 2).reshape(rows, positions, -1)
        return x + F.linear(mixed, block.out), own

    def activation(self, block, x):
        """The feed-forward neurons, act(gate) · up."""
        gate, up = F.linear(self.normed(x, block.norm2), block.gate_up).chunk(2, -1)
        return F.silu(gate) * up

    def base_run(self, ids):
        """Of every block its keys and values and, at the last position, the residual stream after attention and the neurons;
        and the last logits."""
        angles = self.angles(torch.arange(len(ids)))
        x = self.embedding[torch.tensor(ids)][None]
        blocks = []
        for block in self.blocks:
            mid, key_values = self.attended(block, x, angles)
            activation = self.activation(block, mid)
            x = mid + F.linear(activation, block.down)
            blocks.append((key_values, mid[:, -1:], activation[:, -1:]))
        return blocks, self.logits(x[:, -1])

    def logits(self, x):
        return F.linear(self.normed(x, self.norm), self.embedding)

    def forward(self, ids):
        """The last position's logits `[vocabulary]`."""
        return self.base_run(ids)[1][0]

    def attribution(self, ids, token, steps):
        """Integrated Gradients `[n_layers, d_mlp]` of a token's log-probability at the last position, by the midpoint rule and
        from zero, layer by layer: each layer's neurons are scaled there while all below them stay as they are. What lies
        before the last position is run once."""
        with torch.no_grad():
            base, _ = self.base_run(ids)
        before = len(ids) - 1
        prefix = [tuple(part[:, :, :before] for part in key_values) for key_values, _, _ in base]
        angles = self.angles(torch.tensor([before]))
        points = (torch.arange(steps, dtype=torch.float32) + 0.5) / steps
        scores = []
        for layer, (_, mid, activation) in enumerate(base):
            scaled = (points[:, None, None] * activation).requires_grad_()
            x = mid + F.linear(scaled, self.blocks[layer].down)
            for above in range(layer + 1, self.n_layers):
                block = self.blocks[above]
                x, _ = self.attended(block, x, angles, prefix[above])
                x = x + F.linear(self.activation(block, x), block.down)
            value = self.logits(x[:, 0]).log_softmax(-1)[:, token].sum()
            (gradient,) = torch.autograd.grad(value, scaled)
            scores.append(activation[0, 0] * gradient[:, 0].mean(0))
        return torch.stack(scores)


def check(decoder, model, ids):
    """Both give the same logits."""
    with torch.no_grad():
        torch.testing.assert_close(decoder.forward(ids), model(torch.tensor([ids])).logits[0, -1], rtol=1e-3, atol=1e-3)
