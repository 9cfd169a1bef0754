"""Where an engine's network comes from."""

from typing import TYPE_CHECKING, Protocol

from segnext.model.config import ModelConfig

if TYPE_CHECKING:
    from segnext.checkpoint.file import Weights


class Source(Protocol):
    """Weights in memory, or a file of them that need not be read.

    Attributes:
        config: what determines the network's shape.
        digest: SHA-256 of the weights, hexadecimal.
    """

    @property
    def config(self) -> ModelConfig: ...
    @property
    def digest(self) -> str: ...
    def load(self) -> "Weights":
        """The weights themselves."""
        ...
