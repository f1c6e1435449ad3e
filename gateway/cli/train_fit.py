"""`pith train fit`: fits a scorer to grades, from the one that ships or from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from compressor.scorers.embedded_folder import SHIPPED

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("graded", nargs=-1, required=True, type=_FILE)
@click.option("--out", required=True, type=_FOLDER, help="Folder for checkpoints, and for the scorer.")
@click.option("--start", type=_FOLDER, default=SHIPPED, help="Where to start.  [the scorer that ships]")
@click.option("--texts", type=_FOLDER, help="Folder of other texts, to learn from besides.")
@click.option("--soft", multiple=True, type=_FILE, help="Soft grades to learn from besides; repeatable.")
@click.option("--epochs", default=5, show_default=True, type=click.IntRange(1))
@click.option("--batch-words", default=2048, show_default=True, help="Words of a step and process.")
@click.option("--rate", default=2e-5, show_default=True, help="Learning rate; of a token classifier alone.")
@click.option("--processes", default=1, show_default=True, help="Processes that learn together, on CPU.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--seed", default=0, show_default=True)
def fit(
    graded: tuple[Path, ...],
    out: Path,
    start: Path,
    texts: Path | None,
    soft: tuple[Path, ...],
    epochs: int,
    batch_words: int,
    rate: float,
    processes: int,
    device: str,
    seed: int,
) -> None:
    """Fit a scorer to the chunks of GRADED, which `pith train filter` wrote; go on where the last call ended.

    After each pass, agreement with the fifth of the documents that is held out: AUC light, AUC heavy and F1,
    by language. `pith train export` makes of OUT what `compressor.scorer` takes.
    """
    if (start / "config.json").is_file():
        from compressor.train.fit_classifier import ClassifierPlan, fit_classifier

        classifier = ClassifierPlan(
            str(start),
            graded,
            out,
            epochs=epochs,
            batch_tokens=batch_words,
            rate=rate,
            seed=seed,
            device=device,
        )
        fit_classifier(classifier, click.echo)
        return
    from compressor.train.fit import Plan  # torch: seconds to import
    from compressor.train.fit import fit as work

    plan = Plan(
        start,
        graded,
        out,
        epochs=epochs,
        batch_words=batch_words,
        seed=seed,
        device=device,
        texts=texts,
        soft=soft,
    )
    work(plan, processes, click.echo)
