"""The network with everything around it: pictures in, results out."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.bands import read_picture, require_picture, view
from segnext.checkpoint.find import weights_path
from segnext.checkpoint.weights import Weights, load_weights
from segnext.errors import SegNextError
from segnext.imageio import IN_MEMORY, Source, is_source
from segnext.inference.engines import start
from segnext.inference.first_use import use_first
from segnext.inference.look import look
from segnext.inference.multi_label import MultiLabelResult, certainty, check_threshold, find_planes, presence
from segnext.inference.result import Result
from segnext.inference.runtime import ANY, Device, Runtime, device_name
from segnext.inference.sources import distinct
from segnext.inference.testing import WHOLE, Testing
from segnext.kernels.average import Look, mean_probabilities
from segnext.kernels.decide import decide
from segnext.kernels.enlarge import enlarge
from segnext.model.config import require_scores, says_confidence
from segnext.preprocess import Image, Preprocess, Raster
from segnext.words import counted, listed

if TYPE_CHECKING:  # torch is imported only by engines and calls that need it
    from torch import Tensor

    from segnext.inference.rasters.lazy import LazyLabels
    from segnext.kernels.average import Look
    from segnext.model.network import Network

PICTURES_ONLY = (
    "but these weights take pictures, RGB; use weights trained on such bands, by a dataset.yaml with 'bands: [{names}]'"
)
NO_MEMORY = (
    *("not enough memory", "allocate memory", "out of memory", "insufficient memory", "bad_alloc", "bad alloc"),
    "could not create a primitive",  # oneDNN's words for it
)


class Segmenter:
    """Segments pictures, each in forward passes of its own, so its mask never depends on its company.

    Args:
        weights: the network, the meaning of its labels and its preprocessing.
        runtime: what is to run it; `segnext.load` takes its fields one by one.
        testing: windows, scales and flips; the default is one look at the whole picture.
        threshold: of multi-label weights, the probability above which a class is said to be there; None for 1/2.

    Attributes:
        runtime: what was asked for.
        engine: what runs the network, with its name, precision and device.
        config: what determines the network's shape.
        provenance: where the weights come from.
        labels: what the labels mean.
        preprocess: how pictures are prepared.
        testing: how they are looked at; another one may be set at any time.

    Raises:
        SegNextError: when the device or engine is absent or the weights do not say what their bands are.
    """

    def __init__(
        self,
        weights: Weights,
        runtime: Runtime = ANY,
        *,
        testing: Testing = WHOLE,
        threshold: float | None = None,
    ) -> None:
        if not isinstance(weights, Weights):
            raise SegNextError(f"a Segmenter takes weights, not {weights!r}; segnext.load({str(weights)!r}) gives one")
        _require_described(weights.preprocess, weights.config.in_channels)
        if weights.config.num_classes != len(weights.labels):
            raise SegNextError(
                f"these weights tell {weights.config.num_classes} classes apart, but name {len(weights.labels)}; "
                "save them with one name per class"
            )
        self._weights = weights
        self.config = weights.config
        self.provenance = weights.provenance
        self.labels = weights.labels
        self.preprocess = weights.preprocess
        if not isinstance(testing, Testing):
            raise SegNextError(f"testing is {testing!r}; give segnext.Testing(slide=..., scales=..., flip=...)")
        testing.require_fit(weights.config)
        self.testing = testing
        self.threshold = check_threshold(threshold, self.labels.multi_label)
        self._threshold = threshold
        self.runtime = runtime
        use_first()
        self.engine = start(weights, runtime)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled are the weights, or their file's path, and the settings; an engine is started anew."""
        start_anew = partial(type(self), testing=self.testing, threshold=self._threshold)
        return start_anew, (self._weights, self.runtime)

    def __repr__(self) -> str:
        """The network, its classes, and what runs it, in a line."""
        bands = self.preprocess.bands
        takes = "" if bands is None else f" of {', '.join(bands.chosen)}"
        engine = self.engine
        return (
            f"<{type(self).__name__} {self.labels.name}: {counted(len(self.labels), 'class', 'classes')} "
            f"({listed(self.labels.classes, 4)}){takes}; {engine.name}, {engine.precision}, {engine.device}>"
        )

    @cached_property
    def model(self) -> "Network":
        """The network in its trained form, a torch module with `.encoder` and `.decoder`, float32, on the device.

        It is made when first asked for; what runs is the engine's own, folded form of it.
        """
        import torch

        model = self._weights.model().to(self.engine.device)
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @overload
    def __call__(self, source: Source) -> Result: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, source: Iterable[Source]) -> Iterator[Result]: ...
    def __call__(self, source: Source | Iterable[Source]) -> Result | Iterator[Result]:
        """Segment a picture, or several.

        Args:
            source: a path, a PIL image, an array or tensor (H x W x 3 or H x W, uint8), an encoded file's bytes or the
                open file; or a list or iterator of those. For weights of other bands than RGB, an array has all bands
                that the files of the training had, of any type.

        Returns:
            The picture's result; for a list or iterator, an iterator that segments each picture when
            its result is asked for and keeps none. Pictures of equal names, or without, are called NAME, NAME_2, ...

        Raises:
            SegNextError: when a picture cannot be read or does not fit in memory; the iterator ends there. What goes
                on with the other pictures is `inference.predict.predict_files`.
        """
        if isinstance(source, Iterable) and not is_source(source) and not isinstance(source, Mapping):
            return self._segment_each(source)  # type: ignore[arg-type]  # bytes are sources
        return self._segment(source, _stem(source))  # type: ignore[arg-type]  # what it is not, is said there

    def raster(self, source: str | Path, *, tile: int = 512, overlap: int = 128, d4: bool = False) -> "LazyLabels":
        """The labels of a raster of any size, found where they are asked for: `raster("big.tif")[:1000, 2000:3000]`.

        Args:
            source: a GeoTIFF, JPEG 2000, PNG or JPEG file, or an address that GDAL reads (https://, s3://, ...).
            tile: side of the tiles that the network sees, a multiple of 32; they fade into each other.
            overlap: of neighbouring tiles.
            d4: whether tiles are looked at in all eight views, turned and mirrored.

        Raises:
            SegNextError: when it cannot be read, or rasterio is not installed; see `inference.rasters.lazy.LazyLabels`.
        """
        from segnext.inference.rasters.lazy import LazyLabels

        return LazyLabels(self, source, self.testing, tile, overlap, d4)

    def video(self, source: str | Path, *, every: int = 1, smooth: int = 0) -> Iterator[Result]:
        """The results of a video's frames, one after another: each has its `frame` and `time`.

        Args:
            source: a file, a camera (/dev/video0) or the address of a stream (rtsp://, https://, ...).
            every: N for every N-th frame, from the first one on.
            smooth: frames before and after each of these that are averaged with it, so that masks flicker less.

        Raises:
            SegNextError: when it cannot be opened or holds no frames, PyAV is not installed, or, after the last result,
                when it breaks off. Frames that are damaged are left out, with a warning.
        """
        from segnext.inference.videos.each import results

        return results(self, source, every, smooth)

    def logits(self, source: Source) -> "Tensor":
        """Scores before the softmax or sigmoid at the picture's own size, (classes, H, W) float32.

        Raises:
            SegNextError: when there are several looks at a picture, whose probabilities are averaged, or the weights
                are an exported file that gives labels.
        """
        import torch

        if len(self.testing.scales) > 1 or self.testing.flip:
            raise SegNextError("several looks at a picture have no logits in common; ask for its probabilities instead")
        require_scores(self.config, "logits")
        image = self.read(source)
        with _fitting(image):
            (only,) = self.looks(image)
            return torch.as_tensor(enlarge(only.logits, only.covered, image.shape[:2], only.corners)).cpu()

    def probabilities(self, source: Source) -> NDArray[np.float32]:
        """Probabilities at the picture's own size, (classes, H, W) float32, averaged over all looks at it.

        They are those of a softmax; of multi-label weights, of a sigmoid for each class.

        Raises:
            SegNextError: when the weights are an exported file that gives labels.
        """
        require_scores(self.config, "probabilities")
        image = self.read(source)
        with _fitting(image):
            probabilities = presence if self.labels.multi_label else mean_probabilities
            return probabilities(self.looks(image), image.shape[:2])

    def read(self, source: Source, name: str = IN_MEMORY) -> Image | Raster:
        """A picture as `segment` takes it: (H, W, 3) uint8, or (H, W, bands) float32 for weights of named bands.

        `name` is what messages call one that has no path.

        Raises:
            SegNextError: see `read_picture`.
        """
        bands = self.preprocess.bands
        if bands is None and isinstance(source, str | os.PathLike):
            require_picture(Path(source), PICTURES_ONLY)
        return read_picture(source, bands, name)

    def looks(self, image: Image | Raster) -> "list[Look]":
        """What the network says at each look, at an eighth or a quarter of its resolution: less than full logits."""
        return list(look(self.engine, image, self.preprocess, self.testing, self.config))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        device: Device = "auto",
        testing: Testing = WHOLE,
        threshold: float | None = None,
        **runtime: Any,
    ) -> "Segmenter":
        """What `segnext.load` gives; of a Hugging Face repository also another revision, or one that needs a token.

        Args:
            name: see `segnext.load`.
            revision: branch, tag or commit of a Hugging Face repository; None for the newest.
            token: of an account that may read the repository; None takes the one logged in with, if any.
            local_files_only: take what was downloaded before, and never use the network.
            device: see `Runtime`.
            testing: see `Segmenter`.
            threshold: see `Segmenter`.
            runtime: engine, precision and streams; see `Runtime`.
        """
        path = weights_path(name, revision=revision, token=token, local_files_only=local_files_only)
        chosen = Runtime(device=device_name(device), **runtime)
        return cls(load_weights(path), chosen, testing=testing, threshold=threshold)

    def weights(self) -> Weights:
        """The network's weights with everything around them, as a file holds them."""
        return self._weights

    def save_pretrained(self, folder: str | Path, *, half: bool = False, licence: str | None = None) -> None:
        """Write a folder that `segnext.load` takes and the Hugging Face Hub shows; see `checkpoint.hub.save_folder`."""
        from segnext.checkpoint.hub import save_folder

        save_folder(self.weights(), Path(folder), half=half, licence=licence)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str = "Upload SegNeXt weights",
        private: bool = False,
        token: str | None = None,
        **options: Any,
    ) -> str:
        """Upload to the Hugging Face repository OWNER/NAME; its address. For `options` see `checkpoint.hub.push`."""
        from segnext.checkpoint.hub import push

        return push(self.weights(), repo_id, commit_message=commit_message, private=private, token=token, **options)

    def segment(self, image: Image | Raster, name: str = "image", *, confidence: bool = False) -> Result:
        """Segment what `read` gave. Where no band was measured, the mask has the ignore label, or no class if it is
        multi-label.

        Args:
            image: the picture.
            name: the result's.
            confidence: whether the result's confidence will be asked for: found together with the mask it costs less.

        Raises:
            SegNextError: when it does not fit in memory.
        """
        return self._result(image, name, perf_counter(), confidence)

    def _segment_each(self, sources: Iterable[Source]) -> Iterator[Result]:
        """Results of different names, so that saving one never overwrites another."""
        taken: set[str] = set()
        for source in sources:
            name = distinct(_stem(source), taken)
            taken.add(name.casefold())
            yield self._segment(source, name)

    def _segment(self, source: Source, name: str) -> Result:
        started = perf_counter()
        return self._result(self.read(source), name, started, confidence=False)

    def _result(self, image: Image | Raster, name: str, started: float, confidence: bool) -> Result:
        with _fitting(image):
            return self._decided(image, self.looks(image), name, started, confidence)

    def decide(self, image: Image | Raster, looks: "list[Look]", name: str, *, confidence: bool = False) -> Result:
        """The result that follows from what `looks` gave, or from a mean of several such.

        Raises:
            SegNextError: when it does not fit in memory.
        """
        with _fitting(image):
            return self._decided(image, looks, name, perf_counter(), confidence)

    def _decided(
        self, image: Image | Raster, looks: "list[Look]", name: str, started: float, confidence: bool
    ) -> Result:
        bands, multi_label, size = self.preprocess.bands, self.labels.multi_label, image.shape[:2]
        kind: type[Result] = MultiLabelResult if multi_label else Result
        probability = None
        if multi_label:
            mask = find_planes(looks, size, self.threshold)
        else:
            confidence = confidence and says_confidence(self.config)
            mask, probability = decide(looks, size, confidence=confidence)
        if bands is not None:
            mask[..., np.isnan(image).all(2)] = 0 if multi_label else self.labels.ignore
        seconds = perf_counter() - started

        if multi_label:
            measure_confidence = partial(certainty, looks, size, mask)
        elif not says_confidence(self.config):
            measure_confidence = partial(np.full, size, np.nan, np.float32)
        elif probability is None:
            measure_confidence = partial(_confidence, looks, size)
        else:
            measure_confidence = partial(np.asarray, probability)
        return kind(view(image, bands), mask, measure_confidence, self.labels, seconds, name)


def _stem(source: object) -> str:
    path = getattr(source, "name", None) if hasattr(source, "read") else source
    return Path(os.fsdecode(path)).stem if isinstance(path, str | os.PathLike) else "image"


def _require_described(preprocess: Preprocess, in_channels: int) -> None:
    """Refuse weights that do not say what their bands are."""
    described = len(preprocess.mean)
    if in_channels != described or (preprocess.bands is None and described != 3):
        raise SegNextError(
            f"these weights take {in_channels} bands, but their preprocessing is for {described}"
            f"{'' if preprocess.bands else ' without names'}; save them with Preprocess(mean, std, bands=Bands(...))"
        )


def _confidence(looks: "list[Look]", size: tuple[int, int]) -> NDArray[np.float32]:
    _, probability = decide(looks, size, confidence=True)
    assert probability is not None
    return probability


@contextmanager
def _fitting(image: Image | Raster) -> Iterator[None]:
    """Turn the ways in which memory runs out into one sentence."""
    try:
        yield
    except (MemoryError, RuntimeError, cv2.error) as error:
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(words in text for words in NO_MEMORY):
            raise
        height, width = image.shape[:2]
        raise SegNextError(
            f"a picture of {width} x {height} pixels does not fit in memory; make it smaller, or look at it in windows "
            "with --slide 1024 768 (in Python: testing=Testing(slide=(1024, 768)))"
        ) from error
