"""A controller that writes a child edge after edge: an LSTM and its gradient, in numpy.

    controller = Controller(edges=3, operations=4, layers=2, units=35, rng=rng, spread=0.08)
    choices = controller.sample(8)                                # (8, 3)
    logits = controller.forward(choices)                          # (8, 3, 4), given the choices before each
    gradients = controller.backward(d_logits)                     # one array a weight, in the order of `weights`

Hochreiter and Schmidhuber (1997); gates in the order input, forget, output, candidate. Not here: what makes it learn
(controllers.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    value: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return value


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    value: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return value


class Controller:
    """`weights`: embeddings (1 + edges x operations, units), gates (2 units, 4 units) and their biases a layer, heads.

    The input of edge e is the embedding of what edge e - 1 got; row 0 is the start. Each edge has its own head.
    """

    def __init__(
        self, edges: int, operations: int, layers: int, units: int, rng: Generator, spread: float,
        dtype: Any = np.float64,
    ) -> None:  # fmt: skip
        self.edges, self.operations, self.layers, self.units, self._rng = edges, operations, layers, units, rng
        shapes: list[tuple[int, ...]] = [(1 + edges * operations, units)]
        shapes += [(2 * units, 4 * units)] * layers + [(4 * units,)] * layers + [(edges, units, operations)]
        self.weights: list[Array] = [rng.uniform(-spread, spread, shape).astype(dtype) for shape in shapes]
        self._dtype = dtype
        self._steps: list[list[Any]] = []  # what backward needs: for each edge, for each layer
        self._inputs: list[NDArray[np.intp]] = []
        self._tops: list[Array] = []

    def sample(self, count: int) -> NDArray[np.intp]:
        """(count, edges), each edge drawn from its softmax given those before."""
        choices = np.zeros((count, self.edges), dtype=np.intp)
        state = self._start(count)
        for edge in range(self.edges):
            logits = self._step(edge, choices, state)
            level = self._rng.random((count, 1))
            drawn = (np.exp(log_softmax(logits)).cumsum(axis=1) < level).sum(axis=1)
            choices[:, edge] = np.minimum(drawn, self.operations - 1)
        return choices

    def forward(self, choices: NDArray[np.intp]) -> Array:
        """(B, edges) -> logits (B, edges, operations); kept for `backward`."""
        state = self._start(len(choices))
        return np.stack([self._step(edge, choices, state) for edge in range(self.edges)], axis=1)

    def backward(self, d_logits: Array) -> list[Array]:
        """Gradients of sum(d_logits * logits) of the last forward pass."""
        d_logits = d_logits.astype(self._dtype)
        gradients = [np.zeros_like(w) for w in self.weights]
        head, heads = self.weights[-1], gradients[-1]
        shape = (len(d_logits), self.units)
        d_hidden = [np.zeros(shape, self._dtype) for _ in range(self.layers)]
        d_cell = [np.zeros(shape, self._dtype) for _ in range(self.layers)]
        for edge in reversed(range(self.edges)):
            heads[edge] += self._tops[edge].T @ d_logits[:, edge]
            d_above = d_logits[:, edge] @ head[edge].T
            for layer in reversed(range(self.layers)):
                into, (i, f, o, g), before, cell = self._steps[edge][layer]
                tanh = np.tanh(cell)
                d_h = d_hidden[layer] + d_above
                d_c = d_cell[layer] + d_h * o * (1 - tanh**2)
                d_gates = np.concatenate(
                    [d_c * g * i * (1 - i), d_c * before * f * (1 - f), d_h * tanh * o * (1 - o), d_c * i * (1 - g**2)],
                    axis=1,
                )
                gradients[1 + layer] += into.T @ d_gates
                gradients[1 + self.layers + layer] += d_gates.sum(axis=0)
                d_into = d_gates @ self.weights[1 + layer].T
                d_above, d_hidden[layer], d_cell[layer] = d_into[:, : self.units], d_into[:, self.units :], d_c * f
            np.add.at(gradients[0], self._inputs[edge], d_above)
        return gradients

    def _start(self, count: int) -> list[tuple[Array, Array]]:
        self._steps, self._inputs, self._tops = [], [], []
        shape = (count, self.units)
        return [(np.zeros(shape, self._dtype), np.zeros(shape, self._dtype)) for _ in range(self.layers)]

    def _step(self, edge: int, choices: NDArray[np.intp], state: list[tuple[Array, Array]]) -> Array:
        """Logits (B, operations) of an edge; `state` moves on."""
        before = 1 + (edge - 1) * self.operations + choices[:, edge - 1]
        inputs = before if edge else np.zeros(len(choices), dtype=np.intp)
        x, kept = self.weights[0][inputs], []
        for layer in range(self.layers):
            hidden, cell = state[layer]
            into = np.concatenate([x, hidden], axis=1)
            gates = into @ self.weights[1 + layer] + self.weights[1 + self.layers + layer]
            i, f, o = np.split(sigmoid(gates[:, : 3 * self.units]), 3, axis=1)
            g = np.tanh(gates[:, 3 * self.units :])
            new = f * cell + i * g
            kept.append((into, (i, f, o, g), cell, new))
            x = o * np.tanh(new)
            state[layer] = x, new
        self._steps.append(kept)
        self._inputs.append(inputs)
        self._tops.append(x)
        logits: Array = x @ self.weights[-1][edge]
        return logits
