"""An Axes to draw on, and colours that all eyes tell apart.

Nothing here touches ``pyplot``: an Axes made here belongs to a figure of its own, which ``ax.figure.savefig`` saves and
Python forgets with its last reference. Series drawn on one Axes, call after call, get one colour each.
"""

from typing import Any

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
except ImportError as error:
    raise ImportError("jaxlogreg.plot needs matplotlib: pip install 'jaxlogreg[plot]'") from error

__all__ = ["COLOURS", "DASHES", "SERIES", "axes_or_new", "logarithmic", "series_drawn", "style"]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "black")  # Okabe & Ito
DASHES = ("-", "--", "-.", ":")
SERIES = "series"  # the gid of what stands for one


def axes_or_new(ax: Axes | None, width: float = 6.4, height: float = 4.8) -> Axes:
    """The given Axes, or a new one on a figure of its own, in inches."""
    return Figure(figsize=(width, height), layout="constrained").subplots() if ax is None else ax


def series_drawn(ax: Axes) -> int:
    """How many series there are on it."""
    return sum(artist.get_gid() == SERIES for artist in ax.get_children())


def style(series: int) -> tuple[str, str]:
    """The colour and the dashes of a series: colours first."""
    return COLOURS[series % len(COLOURS)], DASHES[series // len(COLOURS) % len(DASHES)]


def logarithmic(ax: Axes, low: float, high: float) -> None:
    """A logarithmic horizontal axis for such numbers; over few decades, with plain numbers 1, 2, 5 or 1, 3 of each."""
    ax.set_xscale("log")
    if high < 1000.0 * low:
        plain: Any = FuncFormatter(lambda x, _: f"{x:g}")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100.0 * low else (1.0, 3.0)))
        ax.xaxis.set_major_formatter(plain)
    ax.xaxis.set_minor_formatter(NullFormatter())
