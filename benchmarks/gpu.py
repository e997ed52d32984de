"""Rows per second in training and in sampling on this machine's device, and the share of its limit that they reach.

python benchmarks/gpu.py --device cuda >> benchmarks/results/gpu.jsonl

Training is likelihood steps on codes that lie on the device; the limit is that of a plain matrix product of the same
precision, measured here, and the share counts the products of the network alone (6 per weight and row in training).
"""

from __future__ import annotations

import argparse
import json
import platform
import time

import torch
from scale import ward

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.models.generator.network_rows import sample_network
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.objectives import negative_log_likelihood
from synthclin.rules.validation import conform


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def limit(device: torch.device, size: int = 4_096, rounds: int = 20) -> float:
    """Return floating-point operations per second of a square matrix product in float32."""
    size = size if device.type == "cuda" else 1_024
    a = torch.randn(size, size, device=device)
    for _ in range(3):
        a @ a
    start = _clock(device)
    for _ in range(rounds):
        a @ a
    return rounds * 2 * size**3 / (_clock(device) - start)


def measure(rows: int, columns: int, batch: int, device: torch.device) -> dict:
    """Return one line."""
    table = ward(rows, columns)
    schema = sc.Schema.infer(table)
    typed = conform(table, schema)
    encoder = TableEncoder.fit(typed, schema)
    codes = encoder.encode(typed).codes.to(device)
    counts = [
        torch.bincount(codes[:, j].cpu(), minlength=k).float() for j, k in enumerate(encoder.layout.cardinalities)
    ]
    network = MaskedGenerator(encoder.layout.columns, counts).to(device)
    weights = sum(parameter.numel() for parameter in network.parameters())
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def step() -> None:
        chosen = torch.randint(len(codes), (batch,), device=device)
        loss = negative_log_likelihood(network.log_likelihood(codes[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    start, rounds = _clock(device), 30
    for _ in range(rounds):
        step()
    training = rounds * batch / (_clock(device) - start)
    network.eval()
    generator = torch.Generator(device=device).manual_seed(0)
    with torch.no_grad():
        sample_network(network, batch, generator)
        start = _clock(device)
        for _ in range(5):
            sample_network(network, batch, generator)
    sampling = 5 * batch / (_clock(device) - start)
    best = limit(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"
    return {
        "device": name,
        "torch": torch.__version__,
        "columns": columns,
        "batch": batch,
        "parameters": weights,
        "training_rows_per_second": round(training),
        "training_share_of_limit": round(6 * weights * training / best, 4),
        "sampling_rows_per_second": round(sampling),
        "sampling_share_of_limit": round(2 * weights * sampling / best, 4),
    }


def main() -> None:
    """Print a line for each batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--batches", type=int, nargs="+", default=[512, 4_096, 32_768])
    options = parser.parse_args()
    torch.manual_seed(0)
    for batch in options.batches:
        print(json.dumps(measure(options.rows, options.columns, batch, torch.device(options.device))), flush=True)


if __name__ == "__main__":
    main()
