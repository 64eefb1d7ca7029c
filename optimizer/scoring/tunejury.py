"""TuneJury's MERT-only head: what people preferred when they heard two generated songs, from the same embedding.

The head is ``checkpoints/input_ablation/A2_mert_only.pt`` of the GitHub repository yonghyunk1m/TuneJury (trained on
about 17,500 human A/B votes, CC BY-NC 4.0); it is not on its Hub page. Its number is a Bradley-Terry strength,
P(A preferred to B) = 1 / (1 + exp(b - a)) [1]_, from about -7 to +4 on FMA's tracks. `TARGET` maps that range onto
0.6 to 9.4 by 10 / (1 + exp(-(x + 1.5) / 2)): the middle of the range becomes 5, order is kept everywhere, and no
song that is likely to occur runs into an end of the scale. ``raw`` among the parts is the strength itself.

It was trained on the mean over whole tracks; ``--window all`` comes closest to that.

References
----------
.. [1] Kim et al., "TuneJury: An Open Metric for Improving Music Generation Preference Alignment", arXiv:2606.17006.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ear import describe_ear
from optimizer.scoring.listener import listener_spec
from optimizer.scoring.published import Published, find_head, head_revision

HEAD = Published(
    name="tunejury",
    file="A2_mert_only.pt",
    url="https://raw.githubusercontent.com/yonghyunk1m/TuneJury/e28474e06fdf4e21c7345a9a86d3af7c1e926b82/"
    "checkpoints/input_ablation/A2_mert_only.pt",
    licence="CC BY-NC 4.0",
)

TARGET = {"kind": "logistic", "centre": -1.5, "scale": 2.0}


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the TuneJury scorer; parameters and errors as in `optimizer.scoring.banger.describe`."""
    ear = describe_ear(options)
    path = find_head(HEAD, argument or options.get("head"))
    return listener_spec("tunejury", "tunejury", head_revision(path), path, ear, TARGET)
