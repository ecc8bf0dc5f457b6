rule finetune:
    """Fine-tune the base model on one subset; a killed job goes on from its last checkpoint."""
    input:
        base=base_model,
        train="results/subsets/{study}/{model}.parquet",
        dev="results/data/{study}/dev.parquet",
    output:
        weights="results/models/{study}/{model}/seed{seed}/model.safetensors",
        config="results/models/{study}/{model}/seed{seed}/config.json",
        facts="results/models/{study}/{model}/seed{seed}/training.json",
        curve="results/models/{study}/{model}/seed{seed}/training_curve.csv",
    log:
        "logs/finetune/{study}/{model}_seed{seed}.log",
    benchmark:
        "logs/finetune/{study}/{model}_seed{seed}.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=more_memory(8000),
        runtime=600,
    params:
        code=code_version("finetune.py"),
        settings=study_setting("training"),
        seed=job_seed("finetune"),
        checkpoints="results/checkpoints/{study}/{model}/seed{seed}",
    script:
        "../scripts/finetune.py"
