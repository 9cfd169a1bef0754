"""Decoders: the encoder's four maps become class logits at 1/8 of the image's resolution, the size of stage 2.

Those that take in stage 1 give them at its size, 1/4.
"""

from segnext.model.decoders.aspp import ASPPDecoder
from segnext.model.decoders.danet import DANetDecoder
from segnext.model.decoders.ham import HamDecoder
from segnext.model.decoders.mlp import MLPDecoder
from segnext.model.decoders.psp import PSPDecoder

__all__ = ["ASPPDecoder", "DANetDecoder", "HamDecoder", "MLPDecoder", "PSPDecoder"]
