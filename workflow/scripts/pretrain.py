"""Pretrain a small language model on text that no subset holds."""

from pathlib import Path

from fuse_to_forget.files import file_digest, remove
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.sources.article_splits import read_articles
from fuse_to_forget.training.pretraining import pretrain

if __name__ == "__main__":
    with job(snakemake.log[0]):
        model = dict(snakemake.params.model)
        articles, _ = read_table(snakemake.input.articles)
        texts = articles["text"].tolist()
        for source in snakemake.params.sources:
            texts += read_articles(source).splits["train"]["text"].tolist()
        print(f"{len(texts)} texts, {sum(map(len, texts))} characters")
        pretrain(
            texts,
            snakemake.output.folder,
            snakemake.params.checkpoints,
            architecture=model["architecture"],
            config=model["config"],
            vocabulary=model["vocabulary"],
            objective=model["objective"],
            length=model["length"],
            settings=model["training"],
            seed=snakemake.params.seed,
            identity={
                "code": snakemake.params.code,
                "model": model,
                "sources": snakemake.params.sources,
                "articles": file_digest(snakemake.input.articles),
            },
        )
        remove(Path(snakemake.params.checkpoints))
