"""A LeNet-size classifier of handwritten digits, trained with NumPy and pyconvc.nn alone.

    python docs/examples/digits.py [--epochs 30] [--threads 1]

Reads scikit-learn's digits (1797 images of 8 x 8, shipped with it) and, where PyTorch is installed,
trains the same network from the same start on the same batches there, and shows both.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits

import pyconvc
from pyconvc import nn

RATE, MOMENTUM, BATCH = 0.02, 0.9, 32


# [data]
def data(seed=0):
    """Images (N, 1, 8, 8) from 0 to 1 and labels, for training and held out.

    In double precision: with float32 the roundings of two libraries, of one size but not the same,
    lead along paths that part after some epochs.
    """
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    x = (digits.images[order, None] / 16).astype(np.float64)
    y = digits.target[order]
    return (x[:1437], y[:1437]), (x[1437:], y[1437:])


# [weights]
SHAPES = {
    "conv1": (6, 1, 3, 3),
    "conv2": (16, 6, 3, 3),
    "full1": (120, 64),
    "full2": (84, 120),
    "full3": (10, 84),
}


def start(seed=1):
    """Weights uniform within sqrt(3 / inputs), and zero biases."""
    rng, weights = np.random.default_rng(seed), {}
    for name, shape in SHAPES.items():
        limit = np.sqrt(3 / np.prod(shape[1:]))
        weights[name] = rng.uniform(-limit, limit, shape).astype(np.float64)
        weights[name + ".bias"] = np.zeros(shape[0], np.float64)
    return weights


# [forward]
def forward(w, x):
    """Scores (N, 10), and what the way back needs."""
    kept = {"x": x}
    for name in ("conv1", "conv2"):
        kept[name] = x
        x = np.maximum(nn.conv2d(x, w[name], w[name + ".bias"], padding=1), 0)
        kept[name + ".out"] = x
        x, kept[name + ".at"] = nn.max_pool2d(x, 2, return_indices=True)
    x = x.reshape(len(x), -1)
    for name in ("full1", "full2", "full3"):
        kept[name] = x
        x = x @ w[name].T + w[name + ".bias"]
        if name != "full3":
            x = np.maximum(x, 0)
    return x, kept


def loss_and_slope(scores, labels):
    """Mean cross-entropy of the softmax, and its gradient with respect to the scores."""
    scores = scores - scores.max(1, keepdims=True)
    logarithms = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    rows = np.arange(len(labels))
    slope = np.exp(logarithms)
    slope[rows, labels] -= 1
    return -logarithms[rows, labels].mean(), slope / len(labels)


# [backward]
def backward(w, kept, g):
    """Gradients of all weights, from that of the scores."""
    gradients = {}
    for name in ("full3", "full2", "full1"):
        gradients[name], gradients[name + ".bias"] = g.T @ kept[name], g.sum(0)
        g = g @ w[name]
        if name != "full1":
            g = g * (kept[name] > 0)
    g = g.reshape(len(g), 16, 2, 2)
    for name in ("conv2", "conv1"):
        out = kept[name + ".out"]
        g = nn.grad.max_pool2d_input(out.shape, g, kept[name + ".at"]) * (out > 0)
        gradients[name] = nn.grad.conv2d_weight(kept[name], w[name].shape, g, padding=1)
        gradients[name + ".bias"] = nn.grad.conv2d_bias(g)
        if name != "conv1":
            g = nn.grad.conv2d_input(kept[name].shape, w[name], g, padding=1)
    return gradients


# [training]
def batches(x, y, epochs, seed=2):
    """Epochs of shuffled batches."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        yield [(x[i], y[i]) for i in np.split(order, range(BATCH, len(x), BATCH))]


def train(x, y, epochs):
    """Stochastic gradient descent with momentum: weights, and the mean loss of each epoch."""
    w = start()
    speed = {name: np.zeros_like(value) for name, value in w.items()}
    losses = []
    for epoch in batches(x, y, epochs):
        seen = []
        for images, labels in epoch:
            scores, kept = forward(w, images)
            loss, slope = loss_and_slope(scores, labels)
            for name, gradient in backward(w, kept, slope).items():
                speed[name] = MOMENTUM * speed[name] + gradient
                w[name] -= RATE * speed[name]
            seen.append(loss)
        losses.append(float(np.mean(seen)))
    return w, losses


def accuracy(w, x, y):
    """Share of images that get their label."""
    return float((forward(w, x)[0].argmax(1) == y).mean())


# [pytorch]
def train_in_torch(torch, x, y, epochs):
    """The same in PyTorch: weights as NumPy arrays, and losses."""
    functional = torch.nn.functional
    w = {name: torch.tensor(value, requires_grad=True) for name, value in start().items()}
    optimizer = torch.optim.SGD(w.values(), RATE, MOMENTUM)
    losses = []
    for epoch in batches(x, y, epochs):
        seen = []
        for images, labels in epoch:
            a = torch.tensor(images)
            for name in ("conv1", "conv2"):
                a = functional.relu(functional.conv2d(a, w[name], w[name + ".bias"], padding=1))
                a = functional.max_pool2d(a, 2)
            a = a.flatten(1)
            for name in ("full1", "full2", "full3"):
                a = functional.linear(a, w[name], w[name + ".bias"])
                a = functional.relu(a) if name != "full3" else a
            loss = functional.cross_entropy(a, torch.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        losses.append(float(np.mean(seen)))
    return {name: value.detach().numpy() for name, value in w.items()}, losses


# [main]
def timed(call, *arguments):
    """What a call gives, and its seconds."""
    begin = time.perf_counter()
    return *call(*arguments), time.perf_counter() - begin


def main():
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    pyconvc.set_num_threads(options.threads)
    (x, y), held_out = data()
    weights, losses, seconds = timed(train, x, y, options.epochs)
    columns = {"pyconvc": (losses, accuracy(weights, *held_out), seconds)}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: pyconvc alone")
    else:
        torch.set_num_threads(options.threads)
        weights, losses, seconds = timed(train_in_torch, torch, x, y, options.epochs)
        columns["PyTorch"] = losses, accuracy(weights, *held_out), seconds
    print("epoch".ljust(10), *(name.rjust(10) for name in columns))
    for epoch, losses in enumerate(
        zip(*(column[0] for column in columns.values()), strict=True), 1
    ):
        print(f"{epoch:<10}", *(f"{loss:10.6f}" for loss in losses))
    print("held out  ", *(f"{right:10.2%}" for _, right, _ in columns.values()))
    print("seconds   ", *(f"{seconds:10.2f}" for _, _, seconds in columns.values()))


if __name__ == "__main__":
    main()
