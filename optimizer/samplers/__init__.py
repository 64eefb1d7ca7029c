"""Which recipe next: the sweep, our own sampler of the best few, and anybody's sampler made safe to resume."""

from optimizer.samplers.grid import Grid
from optimizer.samplers.learn import learn
from optimizer.samplers.model import Model
from optimizer.samplers.observation import Observation
from optimizer.samplers.posterior import Posterior
from optimizer.samplers.seeds import derive_seed
from optimizer.samplers.stateless import StatelessSampler
from optimizer.samplers.thirdparty import NAMES, build, check_name
from optimizer.samplers.topk import TopKSampler

__all__ = [
    "NAMES",
    "Grid",
    "Model",
    "Observation",
    "Posterior",
    "StatelessSampler",
    "TopKSampler",
    "build",
    "check_name",
    "derive_seed",
    "learn",
]
