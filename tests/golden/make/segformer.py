"""Golden values of SegFormer: the transformers library's own network on weights that everyone can draw again.

In an environment of its own, with transformers and segnext:

    python tests/golden/make/segformer.py
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import SegformerConfig, SegformerForSemanticSegmentation

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "model"))
from peer_cases import drawn, weights  # noqa: E402

SHAPE = {
    "hidden_sizes": [16, 32, 48, 64],
    "depths": [1, 2, 1, 1],
    "num_attention_heads": [1, 2, 3, 4],
    "decoder_hidden_size": 32,
}

model = SegformerForSemanticSegmentation(SegformerConfig(num_labels=5, **SHAPE)).eval()
model.load_state_dict(weights(model))
with torch.no_grad():
    found = model(drawn("image", (1, 3, 75, 101)), output_hidden_states=True)
maps = {f"map {index}": x[0, ::7, ::2, ::2].numpy() for index, x in enumerate(found.hidden_states)}
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)  # with the names of its published files
    published = load_file(Path(folder) / "model.safetensors")
same = {
    name: next(key for key, y in model.state_dict().items() if x.shape == y.shape and x.equal(y))
    for name, x in published.items()
    if x.is_floating_point()
}
assert len(set(same.values())) == len(same)
names = np.array([[name, same[name], str(list(published[name].shape))] for name in same])
np.savez_compressed(ROOT / "golden" / "segformer.npz", logits=found.logits.numpy(), names=names, **maps)
