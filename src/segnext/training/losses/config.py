"""Which losses a run minimises. Plain data."""

from dataclasses import dataclass

from segnext.errors import SegNextError, require_setting

TERMS = ("cross_entropy", "ohem", "focal", "dice", "lovasz")


@dataclass(frozen=True)
class Loss:
    """Weighted sum of losses; the default is the paper's, cross entropy alone.

    Attributes:
        cross_entropy: weight of cross entropy; of binary cross entropy for multi-label masks.
        ohem: weight of cross entropy over each picture's hard pixels alone (online hard example mining).
        focal: weight of the focal loss.
        dice: weight of the soft Dice loss.
        lovasz: weight of the Lovasz-softmax loss; of the Lovasz hinge for multi-label masks.
        label_smoothing: share of the truth that cross_entropy and ohem spread evenly over the classes.
        class_weights: a number for each class in the order of dataset.yaml, or class names with theirs, where others
            weigh 1; null for what class_balance says. For cross_entropy, ohem and focal; of a multi-label class they
            weigh the pixels where it is.
        ohem_threshold: pixels whose true class gets a smaller probability are hard.
        ohem_min_kept: smallest share of each picture's labelled pixels that counts as hard.
        focal_gamma: exponent that turns the focal loss from easy pixels; 0 is cross entropy.
    """

    cross_entropy: float = 1.0
    ohem: float = 0.0
    focal: float = 0.0
    dice: float = 0.0
    lovasz: float = 0.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | dict[str, float] | None = None
    ohem_threshold: float = 0.7
    ohem_min_kept: float = 0.0625
    focal_gamma: float = 2.0

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        weights = {name: getattr(self, name) for name in TERMS}
        for name, weight in (weights | {"focal_gamma": self.focal_gamma}).items():
            require_setting(0.0 <= weight < float("inf"), f"loss.{name}", weight, "a number from 0 on")
        if not any(weights.values()):
            raise SegNextError(f"every loss weighs 0; give one of {', '.join(TERMS)} a weight, as in --loss.dice 1")
        smoothing, threshold, kept = self.label_smoothing, self.ohem_threshold, self.ohem_min_kept
        require_setting(0.0 <= smoothing < 1.0, "loss.label_smoothing", smoothing, "at least 0 and below 1")
        require_setting(0.0 < threshold <= 1.0, "loss.ohem_threshold", threshold, "above 0 and at most 1")
        require_setting(0.0 <= kept <= 1.0, "loss.ohem_min_kept", kept, "a share of the pixels, from 0 to 1")
        if smoothing and not (self.cross_entropy or self.ohem):
            raise SegNextError("loss.label_smoothing is for cross_entropy and ohem, which weigh 0; set it to 0")
