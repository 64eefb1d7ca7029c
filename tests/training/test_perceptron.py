"""The network that is written out learns as the same network in `torch.nn` does."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from optimizer.errors import Interrupted
from optimizer.training.network import Checkpoints, Recipe, forward, train
from optimizer.training.parallel import share, side_by_side, threads
from optimizer.training.perceptron import Perceptron


def twin(recipe, inputs, outputs):
    """The same network in `torch.nn`, in float64."""
    layers, width = [], inputs
    for size in recipe.hidden:
        norm = torch.nn.BatchNorm1d(size) if recipe.norm == "batch" else torch.nn.Identity()
        layers += [torch.nn.Linear(width, size), norm, torch.nn.ReLU(), torch.nn.Dropout(recipe.dropout)]
        width = size
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, outputs)).double()


def make(recipe, inputs=9, outputs=3, seed=0):
    return Perceptron(inputs, outputs, recipe, torch.Generator().manual_seed(seed))


RECIPES = {
    "published": Recipe(hidden=(12, 7, 5), dropout=0.0),
    "no norm": Recipe(hidden=(12,), norm="none", dropout=0.0),
    "linear": Recipe(hidden=(), norm="none", dropout=0.0),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_gradients_and_moments_are_those_of_torch(recipe):
    network, other = make(recipe), twin(recipe, 9, 3)
    state = {name: value.double() for name, value in network.state().items()}
    other.load_state_dict(state, strict=False)
    draw = torch.Generator().manual_seed(1)
    for step in range(2):
        x, y = torch.randn(17, 9, generator=draw), torch.randn(17, 3, generator=draw)
        # Two passes in one loss, as a loss over pairs may have them.
        network.forget()
        ours = ((network(x) - y) ** 2).mean() + network(x[:6]).abs().mean()
        ours.backward()
        other.zero_grad()
        theirs = ((other(x.double()) - y) ** 2).mean() + other(x[:6].double()).abs().mean()
        theirs.backward()
        assert ours.item() == pytest.approx(theirs.item(), abs=1e-5), step
        slopes = make(recipe)
        slopes._values.copy_(network.flat.grad)
        for name, parameter in other.named_parameters():
            assert torch.allclose(slopes.state()[name].double(), parameter.grad, atol=1e-5), name
    for name, value in other.state_dict().items():
        if "running" in name:
            assert torch.allclose(network.state()[name].double(), value, atol=1e-5), name
    other.eval()
    assert torch.allclose(network.predict(x).double(), other(x.double()), atol=1e-5)
    assert np.allclose(
        forward({k: v.numpy() for k, v in network.state().items()}, x.numpy()), network.predict(x), atol=1e-5
    )


def test_dropout_keeps_its_rate_and_the_mean():
    network = make(Recipe(hidden=(200,), norm="none", dropout=0.3))
    (mask,) = network._masks(500)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    # Five deviations of 100,000 draws.
    assert float((mask == 0).float().mean()) == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / 1e5))
    kept = mask.clone()
    assert not torch.equal(network._masks(500)[0], kept) and torch.equal(mask, kept), "a second pass draws its own"
    network.forget()
    assert network._masks(500)[0].data_ptr() == mask.data_ptr(), "a step uses the last one's memory"


def test_a_state_is_taken_back_whole():
    recipe = Recipe(hidden=(6, 4))
    one, two = make(recipe), make(recipe, seed=1)
    one(torch.randn(8, 9)).sum().backward()
    assert not torch.equal(one.flat, two.flat)
    two.load(one.state())
    assert torch.equal(one.predict(torch.ones(2, 9)), two.predict(torch.ones(2, 9)))


def fit(seed, n=129, inputs=8, hidden=16, second=6):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, inputs)).astype(np.float32), rng.standard_normal(n).astype(np.float32)
    labels = torch.from_numpy(y)

    def loss(network, data, rows):
        assert len(rows) != 1
        return ((network(data[rows])[:, 0] - labels[rows]) ** 2).mean()

    def validate(predict):
        return float(((predict(x)[:, 0] - y) ** 2).mean())

    recipe = Recipe(hidden=(hidden, second), epochs=4)
    done = train(x, outputs=1, rows=n, loss=loss, validate=validate, recipe=recipe, seed=seed, key="k",
                 checkpoints=Checkpoints(None))  # fmt: skip
    return {name: array.tobytes() for name, array in done.tensors.items()}


def test_trainings_side_by_side_end_as_one_after_the_other(monkeypatch):
    monkeypatch.setattr("optimizer.training.parallel.cores", lambda: 4)
    names = ["0", "1", "2"]
    # 129 songs leave a batch of one, which no batch norm can take.
    alone = {name: fit(int(name)) for name in names}
    assert side_by_side(names, lambda name, tell: fit(int(name))) == alone
    assert alone["0"] != alone["1"]


def test_two_cores_give_the_numbers_of_one(monkeypatch):
    used = set()

    def counted(count):
        used.add(count)
        return threads(count)

    monkeypatch.setattr("optimizer.training.perceptron.threads", counted)
    found = []
    with threads(2):
        for count in (1, 2):
            monkeypatch.setattr("optimizer.training.parallel.cores", lambda count=count: count)
            found.append(fit(0, inputs=512, hidden=512, second=256))
    assert used == {1, 2}
    assert found[0] == found[1]


def test_what_a_finished_training_used_falls_to_the_others(monkeypatch):
    monkeypatch.setattr("optimizer.training.parallel.cores", lambda: 4)
    shares, left = {"short": [], "long": []}, threading.Event()
    both = threading.Barrier(2)

    def train_one(name, tell):
        both.wait(10)
        shares[name].append(share())
        both.wait(10)
        if name == "long":
            for _ in range(1000):
                if share() == 4:
                    break
                left.wait(0.01)
            shares[name].append(share())

    side_by_side(["short", "long"], train_one)
    assert shares == {"short": [2], "long": [2, 4]}
    assert share() == 4


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_stops_the_other_training(monkeypatch, workers):
    monkeypatch.setattr("optimizer.training.parallel.cores", lambda: workers)
    failed, ended = threading.Event(), []

    def train_one(name, tell):
        if name == "good":
            if workers == 1:
                return name
            try:
                for epoch in range(10**9):
                    tell("net", epoch, 10**9)
            except Interrupted:
                ended.append(name)
                raise
        failed.set()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        side_by_side(["good", "bad"], train_one)
    assert failed.is_set() and ended == (["good"] if workers == 2 else [])


def test_a_checkpoint_of_another_release_is_not_gone_on_with(tmp_path):
    kept = Checkpoints(tmp_path)
    kept.save("k", {"done": True})
    assert kept.load("k")["done"]
    torch.save({"done": True}, tmp_path / "k.pt")
    assert kept.load("k") is None
