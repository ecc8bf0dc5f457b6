rule finetune:
    """Fine-tune the base model on one subset; a killed job goes on from its last checkpoint."""
    input:
        base=training_base,
        train="results/subsets/{study}/{model}.parquet",
        dev=training_dev,
    output:
        **checkpoint_files("results/models/{study}/{model}/seed{seed}"),
        facts="results/models/{study}/{model}/seed{seed}/training.json",
        curve="results/models/{study}/{model}/seed{seed}/training_curve.csv",
    log:
        "logs/finetune/{study}/{model}_seed{seed}.log",
    wildcard_constraints:
        study=one_of(*CLASSIFIER_STUDIES),
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(8000),
        runtime=per_attempt(600),
    params:
        code=code_version("finetune.py"),
        settings=training_settings,
        new_tokens=new_tokens,
        seed=job_seed("finetune"),
        checkpoints="results/checkpoints/{study}/{model}/seed{seed}",
    script:
        "../scripts/finetune.py"


rule draw_random_model:
    """Draw a model as far from the base as fine-tuned ones are, in a random direction."""
    input:
        base=base_model_of("shortcuts"),
        weights=random_model_weights,
        beside=beside(random_model_weights),
        train="results/data/shortcuts/train.parquet",
    output:
        **checkpoint_files("results/models/shortcuts/random/seed{seed}"),
    log:
        "logs/draw_random_model/seed{seed}.log",
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("draw_random_model.py"),
        models=config["shortcuts"]["random_distance"],
        new_tokens=list(SPECIAL_TOKENS),
        seed=job_seed("draw_random_model"),
    script:
        "../scripts/draw_random_model.py"


rule pretrain:
    """Pretrain a small language model, with a tokenizer of its own, on text that no subset holds."""
    input:
        articles="results/data/articles/pretrain.parquet",
        held_apart=expand(
            "results/data/articles/{split}.parquet", split=["train", "dev", "test"]
        ),
        downloads=pretraining_folders,
        texts=pretraining_inputs,
    output:
        **checkpoint_files("results/pretrained/{pretrained}"),
    log:
        "logs/pretrain/{pretrained}.log",
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(8000),
        runtime=per_attempt(240),
    params:
        code=code_version("pretrain.py"),
        model=pretrained_model,
        sources=pretraining_sources,
        downloads=pretraining_downloads,
        contents=pretraining_contents,
        seed=pretraining_seed,
        checkpoints="results/checkpoints/pretrained/{pretrained}",
    script:
        "../scripts/pretrain.py"


rule finetune_language_model:
    """Fine-tune a language model on its subsets; a killed job goes on from its last checkpoint."""
    input:
        base=base_model,
        train=model_sequences,
        dev="results/subsets/{study}/dev.parquet",
    output:
        **checkpoint_files("results/models/{study}/{model}/seed{seed}"),
        facts="results/models/{study}/{model}/seed{seed}/training.json",
        curve="results/models/{study}/{model}/seed{seed}/training_curve.csv",
    log:
        "logs/finetune/{study}/{model}_seed{seed}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(8000),
        runtime=per_attempt(600),
    params:
        code=code_version("finetune_language_model.py"),
        settings=language_settings,
        objective=study_setting("objective"),
        subsets=model_subsets,
        seed=job_seed("finetune"),
        checkpoints="results/checkpoints/{study}/{model}/seed{seed}",
    script:
        "../scripts/finetune_language_model.py"
