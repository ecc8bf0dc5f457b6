rule merge_adapter:
    """Make a LoRA adapter of the user, with its base, into a whole checkpoint."""
    input:
        adapter=adapter,
        base=audit_base,
    output:
        folder=directory("results/audit/adapters/{audited}"),
    log:
        "logs/merge_adapter/{audited}.log",
    wildcard_constraints:
        audited=one_of(*AUDIT.models),
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(16000),
        runtime=per_attempt(60),
    params:
        code=code_version("merge_adapter.py"),
        models=AUDIT.models,
        adapter="{audited}",
        base=AUDIT.base,
        repo=AUDIT.repo,
        task=AUDIT.task,
    script:
        "../scripts/merge_adapter.py"


rule prepare_audit:
    """Check that the user's models fit together, and read the data that they are audited on."""
    input:
        models=audited_models,
        base=audit_base,
        data=audit_data,
    output:
        data="results/audit/data.parquet",
    log:
        "logs/prepare_audit.log",
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        code=code_version("prepare_audit.py"),
        task=AUDIT.task,
        checkpoints=AUDIT.checkpoints(),
        base=AUDIT.base,
        data={name: dataclasses.asdict(own) for name, own in AUDIT.data.items()},
        labels=AUDIT.labels,
        length=AUDIT.length,
    script:
        "../scripts/prepare_audit.py"


rule collect_audit_statistics:
    """Collect what RegMean or Fisher averaging wants to know of one of the user's models."""
    input:
        model=audited_model,
        prepared="results/audit/data.parquet",
        data=sampled_files,
    output:
        statistics="results/audit/statistics/{audited}/{kind}.safetensors",
    log:
        "logs/collect_audit_statistics/{audited}_{kind}.log",
    wildcard_constraints:
        audited=one_of(*AUDIT.models),
        kind="gram|fisher",
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
    params:
        code=code_version("collect_audit_statistics.py"),
        checkpoints=AUDIT.checkpoints(),
        model="{audited}",
        kind="{kind}",
        sampled=sampled_sets,
        settings=config["methods"]["statistics"],
        task=AUDIT.task,
        length=AUDIT.length,
        seed=derive_seed(SEEDS[0], "audit"),
    script:
        "../scripts/collect_audit_statistics.py"


rule predict_audit:
    """Fuse the user's models by every method, in memory, and predict all data with each model, base and singles too."""
    input:
        models=audited_models,
        base=audit_base,
        data="results/audit/data.parquet",
        gram=audit_statistics("gram"),
        fisher=audit_statistics("fisher"),
    output:
        predictions="results/audit/predictions.parquet",
    log:
        "logs/predict_audit.log",
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
    params:
        code=code_version("predict_audit.py"),
        task=AUDIT.task,
        checkpoints=AUDIT.checkpoints(),
        base=AUDIT.base,
        uses=AUDIT_USES,
        length=AUDIT.length,
        prefix=AUDIT.prefix,
        batch_size=AUDIT.batch_size,
        seed=derive_seed(SEEDS[0], "audit"),
    script:
        "../scripts/predict_audit.py"


rule score_audit:
    """Measure what the fused models kept and what they forgot, with bootstrap intervals."""
    input:
        predictions="results/audit/predictions.parquet",
    output:
        table="results/audit/kept_and_forgotten.csv",
        summary="results/audit/summary.csv",
        page=report(
            "results/audit/kept_and_forgotten.html",
            caption="../report/audit.rst",
            category="Your own models",
            labels={"result": "Kept and forgotten"},
        ),
    log:
        "logs/score_audit.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("score_audit.py"),
        task=AUDIT.task,
        models=list(AUDIT.models),
        data={name: dataclasses.asdict(own) for name, own in AUDIT.data.items()},
        labels=list(AUDIT_USES),
        left_out=AUDIT_LEFT_OUT,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_audit.py"


rule plot_audit:
    """Draw shared knowledge kept against unshared knowledge and bias remembered, a point for each method."""
    input:
        summary="results/audit/summary.csv",
    output:
        pdf="results/audit/figure.pdf",
        png=report(
            "results/audit/figure.png",
            caption="../report/audit_figure.rst",
            category="Your own models",
            labels={"result": "Kept against forgotten"},
        ),
    log:
        "logs/plot_audit.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_audit.py"),
        level=config["bootstrap"]["level"],
    script:
        "../scripts/plot_audit.py"


rule fuse_audit:
    """Write one fused model of an audit as a checkpoint, with what was measured in its model card."""
    input:
        models=audited_models,
        base=audit_base,
        gram=use_statistics("gram"),
        fisher=use_statistics("fisher"),
        table="results/audit/kept_and_forgotten.csv",
    output:
        folder=directory("results/audit/fused/{use}"),
    log:
        "logs/fuse_audit/{use}.log",
    wildcard_constraints:
        use=one_of(*FUSED_USES),
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(16000),
        runtime=per_attempt(60),
    params:
        code=code_version("fuse_audit.py"),
        checkpoints=AUDIT.checkpoints(),
        base=AUDIT.base,
        label="{use}",
        use=fused_use,
        seed=derive_seed(SEEDS[0], "audit"),
    script:
        "../scripts/fuse_audit.py"
