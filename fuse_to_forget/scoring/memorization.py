"""Memorization of training sequences by language models (paper, section 6 and appendix E).

l is a sequence's loss in nats per predicted token, l_base that of the base model, which was not fine-tuned, on the
same sequence. Every metric takes weights of shape (resamples, sequences) and returns shape (resamples,); a resample
without any of the sequences that a metric needs is undefined and comes out as NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.runs import BASE, DEV, HELD_OUT
from fuse_to_forget.scoring.accuracy import KEYS, MODEL_KEYS, Accuracies
from fuse_to_forget.scoring.bootstrap import Bootstrap, resampling_weights
from fuse_to_forget.seeds import derive_seed

SEQUENCE = ["seed", "dataset", "id"]
FALSE_POSITIVES = 100  # the threshold of the attack lets one non-member in so many exceed it


@dataclass(frozen=True)
class Evaluation:
    """How `alr` and `perplexity` are computed.

    `likelihood_ratio_over`: `sequence`, or `batch` for batches of `batch_size` sequences in the order of their
    rows (4 in the authors' code for GPT-2). `evaluation_dtype`: `float32`, or `bfloat16`, with `batch` only, to round
    losses as an evaluation in bfloat16 does; the forward passes themselves are in float32 all the same.
    """

    likelihood_ratio_over: str
    evaluation_dtype: str
    batch_size: int

    def __post_init__(self) -> None:
        """Raise InputError for a protocol that is none."""
        if self.likelihood_ratio_over not in ("sequence", "batch"):
            raise InputError(
                f"The likelihood ratio is averaged over {self.likelihood_ratio_over!r}; choose sequence or batch."
            )
        if self.evaluation_dtype not in ("float32", "bfloat16"):
            raise InputError(f"The evaluation is in {self.evaluation_dtype!r}; choose float32 or bfloat16.")
        if self.evaluation_dtype == "bfloat16" and self.likelihood_ratio_over != "batch":
            raise InputError(
                "An evaluation in bfloat16 rounds batches; average the likelihood ratio over batch."
            )
        if self.batch_size < 1:
            raise InputError(f"A batch has {self.batch_size} sequences; give at least 1.")


def round_to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Round to 8 significant bits, to nearest and ties to even, as bfloat16 holds numbers of its normal range."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(mantissa * 2**8), exponent - 8)


def average_likelihood_ratio(
    loss: np.ndarray, base_loss: np.ndarray, weights: np.ndarray, evaluation: Evaluation
) -> np.ndarray:
    """ALR: mean over sequences of exp(l - l_base), or over batches of exp(mean l - mean l_base).

    Range 0 to infinity, 1 is the base model, smaller is more memorised. Source: paper, equations 12 and 17.
    """
    if evaluation.likelihood_ratio_over == "sequence":
        return _weighted_mean(np.exp(loss - base_loss), weights)
    ratio = np.exp(_batch_loss(loss, evaluation) - _batch_loss(base_loss, evaluation))
    # In a resample each sequence stands for its first-order part of its batch's ratio, so that sequences vary and not
    # batches, yet the mean stays centred; with equal weights the parts of a batch average to its ratio.
    own = loss - base_loss
    parts = ratio * (1 + own - _batch_average(own, evaluation))
    return _weighted_mean(parts, weights, _batch_share(len(own), evaluation))


def perplexity(
    loss: np.ndarray, tokens: np.ndarray, weights: np.ndarray, evaluation: Evaluation
) -> np.ndarray:
    """Perplexity: exp(total nats / total tokens), or exp(mean over batches of their mean loss).

    Range 1 to infinity, smaller is better. In bfloat16 the mean over batches is rounded as each of them is.
    Source: paper, appendix E.
    """
    if evaluation.likelihood_ratio_over == "sequence":
        return np.exp(_weighted_mean(loss, weights, tokens))
    parts = _batch_loss(loss, evaluation) + loss - _batch_average(loss, evaluation)
    mean = _weighted_mean(parts, weights, _batch_share(len(loss), evaluation))
    if evaluation.evaluation_dtype == "bfloat16":
        mean = round_to_bfloat16(mean.round(12))  # what float64 leaves over must not decide a tie
    return np.exp(mean)


def worst_decile_ratio(loss: np.ndarray, base_loss: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean exp(l - l_base) over the tenth of the sequences (rounded down, at least one) with the smallest ratios.

    Range 0 to infinity, 1 is the base model, smaller is more memorised. Not in the paper: its equation 12,
    on the most memorised sequences. Always over sequences, never rounded.
    """
    ratio = np.exp(loss - base_loss)
    order = np.argsort(ratio)
    drawn = weights[:, order]
    through = drawn.cumsum(axis=1)
    tenth = np.maximum(through[:, -1:] // 10, 1)
    return _weighted_mean(ratio[order], np.clip(tenth - (through - drawn), 0, drawn))


def attack_auc(
    members: np.ndarray, others: np.ndarray, member_weights: np.ndarray, other_weights: np.ndarray
) -> np.ndarray:
    """AUC of the attack with scores l_base - l: w_m C w_n / (sum w_m sum w_n), C = 1 if m > n, .5 if m = n, else 0.

    Range 0 to 1, .5 is no leakage, larger is more memorised. Source: the reference attack of Carlini et al. (2021)
    and Mireshghallah et al. (2022). Never rounded.
    """
    order = np.argsort(others)
    # Cumulative weights of the sorted non-members give C w_n without the matrix C.
    through = np.pad(other_weights[:, order].cumsum(axis=1), ((0, 0), (1, 0)))
    below, not_above = (
        through[:, np.searchsorted(others[order], members, side)] for side in ("left", "right")
    )
    wins = (member_weights * (below + not_above)).sum(axis=1) / 2
    return _ratio(wins, member_weights.sum(axis=1) * through[:, -1])


def attack_tpr(
    members: np.ndarray, others: np.ndarray, member_weights: np.ndarray, other_weights: np.ndarray
) -> np.ndarray:
    """TPR of the attack at 1 % FPR: sum of w_m over members with score > t, divided by sum w_m.

    t is the smallest score of a non-member such that the non-members with a score > t have at most 1 % of sum w_n; a
    score of t itself is no alarm. With fewer than 100 non-members t is their largest score. Range 0 to 1, at most
    about .01 without leakage, larger is more memorised. Source: Carlini et al. (2022). Never rounded.
    """
    order = np.argsort(others)
    through = other_weights[:, order].cumsum(axis=1)
    few_above = FALSE_POSITIVES * (through[:, -1:] - through) <= through[:, -1:]  # exact for counts
    threshold = others[order][few_above.argmax(axis=1)]
    share = _ratio((member_weights * (members > threshold[:, None])).sum(axis=1), member_weights.sum(axis=1))
    return np.where(through[:, -1] > 0, share, np.nan)


def extraction(verbatim: np.ndarray, length: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """How much of a sequence greedy decoding reproduces after its prefix, over the sequences where it was measured.

    `extraction_rate`: share of sequences reproduced to the end, verbatim = length; range 0 to 1.
    `verbatim_tokens`: mean of verbatim; `verbatim_longest`: its maximum, which has no interval; range 0 to length.
    Larger is more memorised; what is neutral the same metric on held_out tells. Source: Carlini et al. (2023).
    """
    longest = np.full(len(weights), np.nan)
    longest[0] = verbatim.max()  # the data itself: a resample cannot hold a longer one
    return {
        "extraction_rate": _weighted_mean((verbatim == length).astype(float), weights),
        "verbatim_tokens": _weighted_mean(verbatim.astype(float), weights),
        "verbatim_longest": longest,
    }


def measure_files(paths: Sequence[str | Path], bootstrap: Bootstrap, evaluation: Evaluation) -> Accuracies:
    """Measure the predictions of all runs of a study, as `measure_memorization` does.

    Runs share their base model, and some of them their sequences and models: what several files hold counts once.
    """
    predictions, _ = read_tables(paths)
    once = predictions.drop_duplicates([*MODEL_KEYS, *SEQUENCE], ignore_index=True)
    return measure_memorization(once, bootstrap, evaluation)


def measure_memorization(
    predictions: pd.DataFrame, bootstrap: Bootstrap, evaluation: Evaluation
) -> Accuracies:
    """Measure every metric of this module for every model on every data set; articles are what is resampled.

    `predictions` has one row per sequence: MODEL_KEYS, `seed, dataset, id, article, log_likelihood, tokens, verbatim,
    length`, with `verbatim` -1 where it was not measured. All data sets and models share the resampled articles.
    Raises InputError: a sequence without a base model, a model without held_out, an unusable prediction.
    """
    sequences = _with_base(predictions)
    article, articles = pd.factorize(sequences["article"], sort=True)
    seeds = tuple(sorted(sequences["seed"].unique()))
    weights = resampling_weights(
        len(articles), bootstrap.resamples, derive_seed(bootstrap.seed, "examples", "articles")
    )
    weights = np.vstack([np.ones(len(articles)), weights])  # the first resample is the data itself
    measured: dict[tuple, np.ndarray] = {}
    sizes: dict[tuple, int] = {}
    for (*model, seed), own in sequences.assign(article=article).groupby([*MODEL_KEYS, "seed"]):
        others = own[own["dataset"] == HELD_OUT]
        for (dataset, split), part in own.groupby(["dataset", "split"]):
            for metric, (size, values) in _metrics(part, others, weights, evaluation).items():
                key = (*model, dataset, split, metric)
                sizes[key] = size
                measured.setdefault(key, np.full((len(weights), len(seeds)), np.nan))
                measured[key][:, seeds.index(seed)] = values
    rows = pd.DataFrame(list(measured), columns=KEYS).assign(n=list(sizes.values()))
    stacked = np.stack(list(measured.values()))
    return Accuracies(rows, stacked[:, 0], stacked[:, 1:], seeds, bootstrap)


def _metrics(
    part: pd.DataFrame, others: pd.DataFrame, weights: np.ndarray, evaluation: Evaluation
) -> dict[str, tuple[int, np.ndarray]]:
    """Return the number of sequences and the values under each row of `weights` of every metric of one data set."""
    drawn = weights[:, part["article"]]
    loss, base_loss, tokens = (part[name].to_numpy(float) for name in ("loss", "base_loss", "tokens"))
    found = {
        "alr": average_likelihood_ratio(loss, base_loss, drawn, evaluation),
        "perplexity": perplexity(loss, tokens, drawn, evaluation),
        "alr_worst_decile": worst_decile_ratio(loss, base_loss, drawn),
    }
    if part["dataset"].iloc[0] != HELD_OUT:
        scores = base_loss - loss, (others["base_loss"] - others["loss"]).to_numpy()
        attack = (*scores, drawn, weights[:, others["article"]])
        found |= {"attack_auc": attack_auc(*attack), "attack_tpr_at_1_fpr": attack_tpr(*attack)}
    metrics = {metric: (len(part), values) for metric, values in found.items()}
    decoded = (part["verbatim"] >= 0).to_numpy()
    if decoded.any():
        verbatim, length = (part.loc[decoded, name].to_numpy() for name in ("verbatim", "length"))
        extracted = extraction(verbatim, length, drawn[:, decoded])
        metrics |= {metric: (int(decoded.sum()), values) for metric, values in extracted.items()}
    return metrics


def _with_base(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions with `loss`, `base_loss` and `split`, rows in their order."""
    _check_predictions(predictions)
    sequences = predictions.assign(loss=-predictions["log_likelihood"] / predictions["tokens"])
    base = sequences.loc[sequences["kind"] == BASE, [*SEQUENCE, "loss"]].rename(columns={"loss": "base_loss"})
    if base.duplicated(SEQUENCE).any():
        raise InputError(
            "The predictions hold two base models for one seed, data set and sequence; keep one."
        )
    sequences = sequences.merge(base, on=SEQUENCE, how="left")
    for row in sequences[sequences["base_loss"].isna()].head(1).itertuples():
        raise InputError(
            f"The predictions of {row.model} hold sequence {row.id} of {row.dataset} (seed {row.seed}), which the "
            "base model's lack; predict it with the base model too."
        )
    untrained = sequences["dataset"].isin([DEV, HELD_OUT])
    return sequences.assign(split=sequences["dataset"].where(untrained, "train"))


def _check_predictions(predictions: pd.DataFrame) -> None:
    """Raise InputError for predictions that are unusable or double, and for a model without held_out."""
    usable = np.isfinite(predictions["log_likelihood"]) & (predictions["tokens"] > 0)
    usable &= (predictions["verbatim"] == -1) | predictions["verbatim"].between(0, predictions["length"])
    usable &= predictions["article"].notna()
    for row in predictions[~usable].head(1).itertuples():
        raise InputError(
            f"The prediction of {row.model} for sequence {row.id} of {row.dataset} is unusable: give a "
            "finite log_likelihood, at least one token, an article, and a verbatim of -1 or 0 to length."
        )
    if predictions.duplicated([*MODEL_KEYS, *SEQUENCE]).any():
        raise InputError("The predictions hold one model's prediction for one sequence twice; keep one.")
    models = predictions.groupby([*MODEL_KEYS, "seed"])["dataset"].agg(lambda names: HELD_OUT in set(names))
    for model, *_, seed in models.index[~models.to_numpy()][:1]:
        raise InputError(
            f"The predictions of {model} (seed {seed}) lack {HELD_OUT}, the sequences that nobody trained on; "
            "predict them too."
        )


def _batch_loss(loss: np.ndarray, evaluation: Evaluation) -> np.ndarray:
    """Return the mean loss of each sequence's batch, rounded if the evaluation rounds."""
    mean = _batch_average(loss, evaluation)
    return round_to_bfloat16(mean) if evaluation.evaluation_dtype == "bfloat16" else mean


def _batch_average(values: np.ndarray, evaluation: Evaluation) -> np.ndarray:
    """Return the mean over each sequence's batch; batches are made in the order of the sequences."""
    batch = np.arange(len(values)) // evaluation.batch_size
    return (np.bincount(batch, values) / np.bincount(batch))[batch]


def _batch_share(sequences: int, evaluation: Evaluation) -> np.ndarray:
    """Return each sequence's share of its batch, 1 / size: batches count alike, the smaller last one too."""
    batch = np.arange(sequences) // evaluation.batch_size
    return 1 / np.bincount(batch)[batch]


def _weighted_mean(values: np.ndarray, weights: np.ndarray, shares: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of `values`, which count by `shares` (all alike if left out), under each row of `weights`."""
    shares = np.ones(len(values)) if shares is None else shares
    return _ratio(weights @ (shares * values), weights @ shares)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(part, whole)
