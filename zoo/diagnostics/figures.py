"""The figures of a run's report, as plain JSON; `zoo.report.page` draws it.

{"kind": "lines", "title", "x_label", "y_label", "logarithmic", "series": [{"name", "x", "y"}]}
{"kind": "heat_map", "title", "rows", "columns", "values", "texts"}     values from 0 to 1
{"kind": "table", "title", "columns", "rows"}                           rows of texts
"""

import numpy as np

from zoo.decoding.translation import Translation
from zoo.diagnostics.gradient_flow import GradientFlow
from zoo.diagnostics.pictures import visible
from zoo.types import Json

Figure = Json


def gradient_figure(flow: GradientFlow) -> Figure:
    """Returns the norm of dL_T/dh_t against T - t, a curve for each layer."""
    kinds = {"h": flow.hidden} | ({} if flow.memory is None else {"c": flow.memory})
    series = []
    for kind, norms in kinds.items():
        for layer, values in enumerate(np.asarray(norms, np.float64)):
            distances = np.flatnonzero(values > 0)  # what is 0 has no logarithm
            name = f"{kind} of layer {layer + 1}" if len(norms) > 1 else kind
            x, y = distances.tolist(), values[distances].tolist()
            series.append({"name": name, "x": x, "y": y})
    return {
        "kind": "lines",
        "title": "Gradient through time: how much the last loss depends on earlier states",
        "x_label": "steps back, T - t",
        "y_label": "norm of the gradient",
        "logarithmic": True,
        "series": [one for one in series if one["x"]],
    }


def alignment_figure(translation: Translation) -> Figure | None:
    """Returns the attention of each written word to the source; None without attention.

    A subword that begins a word begins with the sign of a space.
    """
    if translation.attention is None:
        return None
    return {
        "kind": "heat_map",
        "title": "Attention: from written words, at the left, to source words",
        "rows": [*map(visible, translation.tokens)],
        "columns": [*map(visible, translation.source_tokens)],
        "values": np.asarray(translation.attention, np.float64).round(4).tolist(),
        "texts": None,
    }
