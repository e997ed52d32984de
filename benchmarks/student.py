"""A generator in one pass, taught by the column-by-column one.

`python benchmarks/student.py heart_disease --target num`

The fitted model is a deterministic map of uniform noise: each column is the inverse of its cumulative law, given the
columns before, at a number of its own. So pairs of noise and laws are endless, and a masked network of the noise learns
the laws by cross-entropy. Then one pass over the noise gives all laws at once, and the same inverse gives the row.

Prints a JSON line for each seed and appends it to `benchmarks/results/student.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import measures
import pandas as pd
import tables
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import synthclin as sc
from synthclin.encoding import Encoded
from synthclin.models.drawing import RowState, draw
from synthclin.models.networks import MaskedBlock, MaskedGenerator, MaskedLinear
from synthclin.seeds import seeded_modules, torch_generator

RESULTS = Path(__file__).parent / "results" / "student.jsonl"
KNOTS, EMBEDDING, BATCH, POOL, RATE = 16, 8, 256, 4_096, 3e-3


def inverse(law: Tensor, noise: Tensor) -> Tensor:
    """Return the code at which the cumulative law passes the noise: (rows, codes), (rows,) -> (rows,)."""
    return (law.cumsum(1) < noise[:, None]).sum(1).clamp_max(law.shape[1] - 1)


def teach(network: MaskedGenerator, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return the teacher's rows at some noise, (rows, columns), and the laws behind them, (rows, all codes)."""
    state, codes, laws = RowState(network), [], []
    for t in range(len(network.columns)):
        laws.append(state.logits(t, len(noise)).softmax(1))
        codes.append(inverse(laws[-1], noise[:, t]))
        state.push(t, codes[-1])
    return torch.stack(codes, 1), torch.cat(laws, 1)


class Student(nn.Module):
    """Every column's law from the noise of the columns before it: (rows, columns) -> (rows, all codes) logits."""

    def __init__(self, marginals: list[Tensor], width: int, blocks: int) -> None:
        super().__init__()
        self.sizes = [len(law) for law in marginals]
        count = len(self.sizes)
        shares = [law / law.sum() for law in marginals]
        self.ends = [share.cumsum(0)[:-1].contiguous() for share in shares]
        self.starts = torch.tensor([0, *self.sizes[:-1]]).cumsum(0)
        self.register_buffer("bias", torch.cat([share.clamp_min(1e-6).log() for share in shares]))
        self.embedding = nn.Parameter(0.3 * torch.randn(sum(self.sizes), EMBEDDING))
        degrees = torch.div(torch.arange(width) * max(count - 1, 1), width, rounding_mode="floor")
        inputs = torch.arange(count).repeat_interleave(1 + KNOTS + EMBEDDING)
        outputs = torch.arange(count).repeat_interleave(torch.tensor(self.sizes))
        self.enter = MaskedLinear(degrees[:, None] >= inputs)
        self.blocks = nn.ModuleList(MaskedBlock(degrees[:, None] >= degrees, 0.0) for _ in range(blocks))
        self.leave = MaskedLinear(outputs[:, None] > torch.cat([degrees, inputs]), zero=True)

    def forward(self, noise: Tensor) -> Tensor:
        """Return the logits of all columns, side by side."""
        score = torch.special.ndtri(noise.clamp(1e-4, 1 - 1e-4))[:, :, None]
        ramps = ((noise[:, :, None] - torch.arange(KNOTS) / KNOTS) * KNOTS).clamp(0, 1)
        # The code that the marginal law would give: what the column is before its context is known.
        codes = torch.stack([torch.bucketize(noise[:, t].contiguous(), ends) for t, ends in enumerate(self.ends)], 1)
        seen = torch.cat([score, ramps, functional.embedding(codes + self.starts, self.embedding)], 2).flatten(1)
        hidden = self.enter(seen)
        for block in self.blocks:
            hidden = block(hidden)
        return self.leave(torch.cat([functional.silu(hidden), seen], 1)) + self.bias

    def log_laws(self, noise: Tensor) -> Tensor:
        """Return the log-laws of all columns, side by side."""
        return torch.cat([logits.log_softmax(1) for logits in self(noise).split(self.sizes, 1)], 1)

    def draw(self, noise: Tensor) -> Tensor:
        """Return the codes at some noise, (rows, columns)."""
        laws = self(noise).split(self.sizes, 1)
        return torch.stack([inverse(law.softmax(1), noise[:, t]) for t, law in enumerate(laws)], 1)


def distil(model: sc.ConditionalGAN, steps: int, width: int, blocks: int, rng: torch.Generator) -> Student:
    """Return a student of a fitted model."""
    network = model.network_.requires_grad_(False)
    student = Student([model.frequencies_[j] for j in model.order_], width, blocks)
    optimizer = torch.optim.AdamW(student.parameters(), RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    average = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(0.998))
    share = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min(1.0, (i + 1) / 100) * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, i / steps))))
    )
    done = 0
    while done < steps:
        with torch.no_grad():
            noise = torch.rand(POOL, len(network.columns), generator=rng)
            _, laws = teach(network, noise)
        # A law takes longer to draw than to learn from, so each is used twice.
        for part in torch.cat([torch.randperm(POOL, generator=rng) for _ in range(2)]).split(BATCH):
            loss = -(laws[part] * student.log_laws(noise[part])).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            optimizer.step()
            share.step()
            average.update_parameters(student)
            done += 1
    return average.module.eval()


def decoded(model: sc.ConditionalGAN, codes: Tensor, rng: torch.Generator) -> pd.DataFrame:
    """Return the table of codes that stand in the order of drawing."""
    placed = torch.empty_like(codes)
    placed[:, model.order_] = codes
    return model.encoder_.decode(Encoded(placed, torch.rand(codes.shape, generator=rng)))[list(model.schema.modelled)]


def rate(draws: Callable[[], object], rows: int = 2_048, times: int = 10) -> int:
    """Return rows per second of processor time."""
    draws()
    start = time.process_time()
    for _ in range(times):
        draws()
    return round(times * rows / (time.process_time() - start))


@torch.no_grad()
def judge(
    model: sc.ConditionalGAN,
    student: Student,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    target: str,
    rng: torch.Generator,
) -> dict[str, float]:
    """Return the figures of one draw of teacher and student, as many rows each as the table has."""
    network, rows = model.network_, len(train)
    noise = [torch.rand(max(rows, 3_000), len(network.columns), generator=rng) for _ in range(3)]
    drawn = {
        "teacher": decoded(model, teach(network, noise[0])[0], rng),
        "again": decoded(model, teach(network, noise[1])[0], rng),
        "student": decoded(model, student.draw(noise[2]), rng),
    }
    real, held, *parts = measures.numbers([train, holdout, *drawn.values()])
    part = dict(zip(drawn, parts, strict=True))
    figures = {f"{name}_from_teacher": measures.c2st(part["teacher"], part[name]) for name in ("again", "student")}
    for name in ("teacher", "student"):
        some = {"synthetic": drawn[name].iloc[:rows], "train": train, "holdout": holdout}
        figures |= {
            f"{name}_from_holdout": statistics.fmean(measures.c2st(held, part[name], seed=fold) for fold in range(3)),
            f"{name}_from_train": measures.c2st(real, part[name]),
            f"{name}_tstr": measures.utility(some, target)["tstr"],
        }
    return figures


def measure(source: str, seed: int, target: str, steps: int, width: int, blocks: int) -> dict[str, object]:
    """Fit a teacher on 80 % of the rows, teach a student, and return the mean figures of two draws of both."""
    table, schema = tables.read(source)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    model = sc.ConditionalGAN(schema, random_state=seed, device="cpu").fit(train)
    torch.set_num_threads(1)
    rng = torch_generator(seed, "student")
    start = time.process_time()
    with seeded_modules(seed, "student"):
        student = distil(model, steps, width, blocks, rng)
    seconds = time.process_time() - start
    names = list(schema.modelled)
    draws = [judge(model, student, train[names], holdout[names], target, rng) for _ in range(2)]
    with torch.no_grad():
        noise = torch.rand(2_048, len(model.order_), generator=rng)
        codes, laws = teach(model.network_, noise)
        kl = (laws * (laws.clamp_min(1e-30).log() - student.log_laws(noise))).sum(1).mean()
        rates = {
            "teacher_rows_per_second": rate(lambda: draw(model.network_, 2_048, rng)),
            "teacher_by_inverse_rows_per_second": rate(lambda: teach(model.network_, noise)),
            "student_rows_per_second": rate(lambda: student.draw(noise)),
        }
    return {
        "table": Path(source).name,
        "rows": len(train),
        "seed": seed,
        "generator": f"synthclin {sc.__version__}",
        "device": f"cpu, torch {torch.__version__}",
        "steps": steps,
        "width": width,
        "blocks": blocks,
        "cpu_seconds": round(seconds, 1),
        "kl_nats_per_row": round(float(kl), 4),
        "cells_alike": round(float((student.draw(noise) == codes).float().mean()), 4),
        **rates,
        **{name: round(statistics.fmean(each[name] for each in draws), 4) for name in draws[0]},
    }


def main() -> None:
    """Measure one table over the seeds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--target", required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=2_500)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--blocks", type=int, default=3)
    options = parser.parse_args()
    for seed in map(int, options.seeds.split(",")):
        found = measure(options.source, seed, options.target, options.steps, options.width, options.blocks)
        line = json.dumps(found)
        print(line, flush=True)
        with RESULTS.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
