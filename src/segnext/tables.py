"""Tables of figures for the console."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table


def figures_table(title: str, first: str, others: Sequence[str]) -> Table:
    """An empty table: the column `first` of names, the others of figures, flush right."""
    table = Table(title=escape(title), title_justify="left")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
