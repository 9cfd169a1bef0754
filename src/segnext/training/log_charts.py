"""The curves of a run for its report."""

from pathlib import Path

from segnext.evaluation.chart import Chart, Line, chart
from segnext.training.log import class_series, read_log, series


def log_charts(log: Path) -> list[Chart]:
    """Loss, mIoU, class IoU, gradient norm and learning rate of a run's log.jsonl, those that it has.

    Raises:
        SegNextError: when the log is missing or has no line yet.
    """
    train, val = read_log(log)
    classes = [Line(name, steps, _percent(values)) for name, (steps, values) in class_series(val).items()]
    charts = []
    for title, records, key, unit, is_log in (
        ("training loss", train, "loss", "", False),
        ("mIoU on val, %", val, "miou", " %", False),
        ("gradient norm", train, "grad_norm", "", True),
        ("learning rate", train, "lr", "", False),
    ):
        steps, values = series(records, key)
        if values:
            shown = _percent(values) if unit else values
            charts.append(chart(title, [Line(title, steps, shown)], unit=unit, log=is_log and min(shown) > 0))
    if classes:
        charts.insert(1, chart("IoU of each class on val, %", classes, height=424, unit=" %"))
    return charts


def _percent(values: list[float]) -> list[float]:
    return [100 * value for value in values]
