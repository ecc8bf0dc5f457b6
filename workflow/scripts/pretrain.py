"""Pretrain a small language model on text that no subset holds."""

from pathlib import Path

from fuse_to_forget.files import remove
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.sources.article_splits import pretraining_texts, read_articles
from fuse_to_forget.training.pretraining import pretrain

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params = snakemake.params
        model = dict(params.model)
        sources = [read_table(snakemake.input.articles)[0]]
        folders = dict(zip(params.downloads, snakemake.input.downloads, strict=True))
        for source in params.sources:
            read = read_articles(source | {"download": folders.get(source.get("download"))})
            sources.append(read.splits["train"])
        held_apart = [read_table(file)[0] for file in snakemake.input.held_apart]
        texts = pretraining_texts(sources, held_apart)
        print(f"{len(texts)} texts, {sum(map(len, texts))} characters")
        pretrain(
            texts,
            Path(snakemake.output.weights).parent,
            params.checkpoints,
            architecture=model["architecture"],
            config=model["config"],
            vocabulary=model["vocabulary"],
            objective=model["objective"],
            length=model["length"],
            settings=model["training"],
            seed=params.seed,
            identity={"code": params.code, "model": model, "sources": params.sources},
        )
        remove(Path(params.checkpoints))
