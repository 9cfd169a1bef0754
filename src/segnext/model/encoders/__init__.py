"""Encoders: an image becomes four feature maps."""

from segnext.model.encoders.encoder import Encoder, Stage, Staged
from segnext.model.encoders.mit import MiT
from segnext.model.encoders.mscan import MSCAN

__all__ = ["MSCAN", "Encoder", "MiT", "Stage", "Staged"]
