"""SegNeXt as a model of the transformers library: after this import its Auto classes load our folders.

    import segnext.integrations.transformers
    from transformers import AutoModelForSemanticSegmentation, pipeline

    model = AutoModelForSemanticSegmentation.from_pretrained("folder")    # what `save_pretrained` wrote
    pipeline("image-segmentation", model="folder")("street.png")

A folder is the same for both libraries: what the Trainer or `save_pretrained` writes is what `segnext.load` takes. All
families of networks load, and labels equal those of `segnext.load` with the torch engine in float32.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForSemanticSegmentation,
    BaseImageProcessor,
    BatchFeature,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SemanticSegmenterOutput

from segnext.bands import read_picture
from segnext.checkpoint.hub import MODEL
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import USUAL, Weights, preprocess_from, save_weights
from segnext.data.known import labels_for_count
from segnext.errors import SegNextError
from segnext.inference.prepare import prepare, resized
from segnext.kernels.classify import classify
from segnext.labels import Labels
from segnext.model.config import NetworkConfig, aligns_corners, preset
from segnext.model.families import FAMILIES, build
from segnext.plain import with_tuples
from segnext.preprocess import Preprocess, padding


class SegNextConfig(PreTrainedConfig):  # type: ignore[misc]
    """What a folder's config.json says.

    Attributes:
        family: of networks; see `segnext.model.families`.
        model: the fields of its configuration; those of segnext_t for 150 classes if there are none.
        labels: names, colours and the ignore label, as a dataset.yaml has them.
        preprocess: the fields of `Preprocess`.
        provenance: where the weights come from.
    """

    model_type = "segnext"
    id2label: dict[int, str] | None = None
    family: str = USUAL
    model: dict[str, Any] | None = None
    labels: dict[str, Any] | None = None
    preprocess: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill in what was not given; `id2label` or `num_labels` decide about the classes where they are given."""
        self.model = self.model or asdict(preset("segnext_t"))
        self.preprocess = self.preprocess or asdict(Preprocess())
        if self.id2label is None and kwargs.get("num_labels") is None:
            known = self.labels and Labels.from_dict(self.labels, "config.json")
            self.id2label = dict(enumerate((known or labels_for_count(self.model["num_classes"])).classes))
        super().__post_init__(**kwargs)

    def network(self) -> NetworkConfig:
        """What determines the network.

        Raises:
            SegNextError: for an unknown family, or fields that it does not have.
        """
        assert self.model is not None
        try:
            config = FAMILIES[self.family].config(**with_tuples(self.model))
        except (KeyError, TypeError) as error:
            raise SegNextError(f"config.json does not fit this version of segnext ({error})") from error
        found: NetworkConfig = replace(config, num_classes=self.num_labels)
        return found

    def class_list(self) -> Labels:
        """Names, colours and the ignore label of the classes; colours of `labels` where the names are its own."""
        known_names = self.id2label or {}
        names = tuple(known_names[label] for label in range(self.num_labels))
        if self.labels is not None and (known := Labels.from_dict(self.labels, "config.json")).classes == names:
            return known
        return replace(labels_for_count(len(names)), name="dataset", classes=names)


class SegNextForSemanticSegmentation(PreTrainedModel):  # type: ignore[misc]
    """A network of ours as the library's Trainer, pipelines and `from_pretrained` take it."""

    config_class = SegNextConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: SegNextConfig) -> None:
        super().__init__(config)
        network = build(config.network())
        self.encoder, self.decoder = network.encoder, network.decoder
        self._drawn = not next(network.parameters()).is_meta  # as they are while a file is loaded
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing where `build` has drawn them; what a file lacks, as a classifier of other classes, is drawn here."""
        if not self._drawn and isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **_: Any,
    ) -> Any:
        """Logits as the decoder gives them, at 1/4 or 1/8.

        Args:
            pixel_values: (B, bands, H, W), normalised; any H and W.
            labels: (B, H, W); with them there is a loss, cross entropy of the enlarged logits.
            output_hidden_states: whether the encoder's maps are wanted too.
            return_dict: False for a tuple.
        """
        maps = self.encoder(pixel_values)
        logits = self.decoder(maps)
        loss = None
        if labels is not None:
            corners = aligns_corners(self.config.network())
            large = F.interpolate(logits.float(), size=labels.shape[-2:], mode="bilinear", align_corners=corners)
            loss = F.cross_entropy(large, labels.long(), ignore_index=self.config.class_list().ignore)
        output = SemanticSegmenterOutput(loss=loss, logits=logits, hidden_states=maps if output_hidden_states else None)
        return output.to_tuple() if return_dict is False else output

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> None:
        """As the library does, the file with our header, so that `segnext.load` takes the folder too."""
        super().save_pretrained(save_directory, *args, **kwargs)
        file = Path(save_directory) / MODEL
        if file.exists():  # in one piece, as it is up to 50 GB
            config = self.config
            state = {name: tensor.detach().cpu() for name, tensor in self.state_dict().items()}
            told = Provenance.from_dict(config.provenance or {})
            preprocess = preprocess_from(config.preprocess)
            save_weights(Weights(config.network(), config.class_list(), preprocess, state, told), file)


class SegNextImageProcessor(BaseImageProcessor):  # type: ignore[misc]
    """Pictures to `pixel_values`, and logits to labels, as `segnext.load` does both.

    Args:
        preprocess: the fields of `Preprocess`.
        stride: what the sides are filled up to a multiple of.
        logits_stride: of the decoder's logits.
        corners: see `kernels.enlarge.places`.
        ignore: the label of pixels that do not count.
    """

    model_input_names = ("pixel_values",)

    def __init__(
        self,
        preprocess: dict[str, Any] | None = None,
        stride: int = 32,
        logits_stride: int = 8,
        corners: int = 0,
        ignore: int = 255,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = preprocess or asdict(Preprocess())
        self.stride, self.logits_stride, self.corners, self.ignore = stride, logits_stride, corners, ignore

    def to_dict(self) -> dict[str, Any]:
        """What preprocessor_config.json holds."""
        own = {name: getattr(self, name) for name in ("stride", "logits_stride", "corners", "ignore")}
        return {"image_processor_type": type(self).__name__, "preprocess": self.settings, **own}

    def preprocess(
        self, images: Any, segmentation_maps: Any = None, return_tensors: str | None = "pt", **_: Any
    ) -> BatchFeature:
        """A picture or several, filled up to the largest, and their masks if given.

        Args:
            images: files, PIL images or arrays (H, W, 3), or (H, W, bands) for weights of named bands.
            segmentation_maps: their masks, PIL images or arrays (H, W) of labels.
            return_tensors: "pt" or "np".
        """
        how = self._how()
        pictures = [read_picture(image, how.bands) for image in _several(images)]
        small = [resized(picture, how.size(*picture.shape[:2])) for picture in pictures]
        size = self._filled([picture.shape[:2] for picture in small])
        values = np.concatenate([prepare(picture, how, size) for picture in small]).transpose(0, 3, 1, 2)
        content: dict[str, Any] = {"pixel_values": np.ascontiguousarray(values)}
        if segmentation_maps is not None:
            masks = [self._fitted(mask, how, size) for mask in _several(segmentation_maps)]
            content["labels"] = np.stack(masks).astype(np.int64)
        return BatchFeature(data=content, tensor_type=return_tensors)

    def post_process_semantic_segmentation(
        self, outputs: Any, target_sizes: Sequence[tuple[int, int]] | None = None
    ) -> list[Tensor]:
        """The labels of each picture, (H, W) int64.

        Args:
            outputs: of the model.
            target_sizes: the pictures' own heights and widths; without them the labels are those of the logits.
        """
        logits = outputs.logits.detach().float().cpu().permute(0, 2, 3, 1).contiguous().numpy()
        if target_sizes is None:
            return [torch.from_numpy(each.argmax(2)) for each in logits]
        if len(logits) != len(target_sizes):
            raise SegNextError(f"{len(logits)} pictures have {len(target_sizes)} target sizes; give one for each")
        sizes = [(int(height), int(width)) for height, width in target_sizes]
        return [self._labels(each, size) for each, size in zip(logits, sizes, strict=True)]

    def _labels(self, logits: NDArray[np.float32], size: tuple[int, int]) -> Tensor:
        small = self._how().size(*size)
        seen = [side * self.logits_stride for side in logits.shape[:2]]
        covered = size[0] * seen[0] / small[0], size[1] * seen[1] / small[1]
        labels, _ = classify(logits, covered, size, corners=self.corners)
        return torch.from_numpy(labels.astype(np.int64))

    def _how(self) -> Preprocess:
        return preprocess_from(self.settings)

    def _filled(self, sizes: Sequence[tuple[int, ...]]) -> tuple[int, int]:
        height, width = (max(sides) for sides in zip(*sizes, strict=True))
        below, right = padding(height, width, self.stride)
        return height + below, width + right

    def _fitted(self, mask: Any, how: Preprocess, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The mask as its picture is seen, the ignore label where that was filled up."""
        labels = np.asarray(mask, np.uint8)
        height, width = how.size(*labels.shape)
        fitted = np.full(size, self.ignore, np.uint8)
        fitted[:height, :width] = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return fitted


AutoConfig.register(SegNextConfig.model_type, SegNextConfig, exist_ok=True)
AutoModelForSemanticSegmentation.register(SegNextConfig, SegNextForSemanticSegmentation, exist_ok=True)
AutoImageProcessor.register(SegNextConfig, image_processor_classes={"pil": SegNextImageProcessor}, exist_ok=True)


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]
