"""Seeded random pipelines on both switches, and pipelines on which they once differed.

`python -m tests.differential --pipelines 5000 --seed 0` runs as many as one likes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential.both import Both, PeerFailedError
from tests.differential.generate import random_pipeline
from tests.differential.pipeline import Pipeline, parse_pipeline

BATCHES = 10
BATCH = 20
REGRESSIONS = Path(__file__).parent.parent / "data" / "differential.txt"


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """Both switches, for all tests."""
    with Both() as made:
        yield made


def regressions() -> Iterator[tuple[str, Pipeline]]:
    """Pipelines that were kept, with the lines above them that say what was wrong."""
    for part in REGRESSIONS.read_text().split("\n\n"):
        name = " ".join(line[2:] for line in part.splitlines() if line.startswith("# "))
        pipeline = parse_pipeline(part)
        if pipeline.steps:
            yield name, pipeline


@pytest.mark.parametrize("pipeline", [pytest.param(one, id=name) for name, one in regressions()])
def test_what_once_differed_is_the_same(both: Both, pipeline: Pipeline) -> None:
    assert both.differences(pipeline) == []


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_pipelines_end_alike(both: Both, batch: int) -> None:
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        pipeline = random_pipeline(seed)
        try:
            found = both.differences(pipeline)
        except PeerFailedError:
            continue
        assert found == [], f"seed {seed}\n{pipeline}"


def test_text_form_of_a_pipeline_is_the_pipeline() -> None:
    for seed in range(5):
        pipeline = random_pipeline(seed)
        assert parse_pipeline(str(pipeline)) == pipeline
