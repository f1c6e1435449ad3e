"""compressor.shelf: what chunks have on the shelf is not scored, and changes no score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressor.engine import Engine
from compressor.flow import ScoreRequest
from compressor.shelf import Part, subjects_of
from compressor.types import Chunk, Scorer, Subject
from compressor.words import split
from tests.compressor.fake_scorers import LengthScorer, LocalScorer

WORDS = "a bb ccc dddd eeeee ffffff".split()  # noqa: SIM905  # reads better
TEXT = " ".join(WORDS * 3)


class DictShelf:
    """Keeps everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.parts: dict[Subject, Part] = {}
        self.n_asked = 0

    async def find(self, subjects: Sequence[Subject]) -> list[Part | None]:
        self.n_asked += len(subjects)
        return [self.parts.get(subject) for subject in subjects]

    def keep(self, subjects: Sequence[Subject], parts: Sequence[Part]) -> None:
        self.parts |= zip(subjects, parts, strict=True)


async def scores_of(scorer: Scorer, shelf: DictShelf, *texts: str) -> list[list[int]]:
    async with Engine(scorer) as engine:
        found = []
        for text in texts:
            [scores] = await engine.score([ScoreRequest(text, split(text), shelf)])
            assert isinstance(scores, np.ndarray), scores
            found.append(scores.tolist())
        return found


async def test_of_a_text_that_has_grown_only_what_is_new_is_scored() -> None:
    scorer, shelf = LocalScorer(chunk_words=6), DictShelf()
    grown = f"{TEXT} and one more"
    [first, second] = await scores_of(scorer, shelf, TEXT, grown)
    assert second[: len(first)] == first
    assert second == (await scores_of(LengthScorer(), DictShelf(), grown))[0]
    assert scorer.n_scored == 3 + 1


async def test_a_text_whose_chunks_are_all_known_waits_for_no_device() -> None:
    scorer, shelf = LocalScorer(chunk_words=6), DictShelf()
    [first] = await scores_of(scorer, shelf, TEXT)
    before = scorer.n_scored
    assert await scores_of(scorer, shelf, TEXT) == [first]
    assert scorer.n_scored == before


async def test_a_text_in_one_chunk_is_not_looked_for() -> None:
    shelf = DictShelf()
    await scores_of(LocalScorer(chunk_words=50), shelf, TEXT)
    assert (shelf.n_asked, shelf.parts) == (0, {})


async def test_nor_is_one_whose_scorer_looks_at_the_whole() -> None:
    shelf = DictShelf()
    await scores_of(LengthScorer(chunk_words=6), shelf, TEXT)
    assert (shelf.n_asked, shelf.parts) == (0, {})


def test_one_chunk_that_depends_on_more_is_enough() -> None:
    local, other = Chunk(1, None, Subject(b"x", 1)), Chunk(1, None)
    assert subjects_of([local, other]) == []
    assert subjects_of([local, local]) == [Subject(b"x", 1)] * 2
    assert subjects_of([]) == []


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=40), min_size=1, max_size=4))
async def test_what_is_on_the_shelf_changes_no_score(texts: list[list[str]]) -> None:
    spelled = [" ".join(words) for words in texts]
    shelved = await scores_of(LocalScorer(chunk_words=5), DictShelf(), *spelled)
    assert shelved == await scores_of(LengthScorer(chunk_words=5), DictShelf(), *spelled)
