"""Check every key of params.yaml, and write what runs and each model's settings in full."""

import shutil

from i2moe.model.config import ModelConfig
from i2moe.model.fusion_config import OwnFusionConfig
from stages.settings.params import load_params
from stages.settings.sources import source_files
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import read_params
from stages.shared.files import hash_files
from stages.shared.runs import Explaining, ModelSettings, Numerics, Training, write_settings


def settings() -> None:
    """Write results/settings, and results/checked, once all of params.yaml is right.

    In results/settings are run.json, train.json, explain.json, and DATASET/MODEL.json.
    """
    params = load_params()
    models = {
        paths.model_settings(dataset, model): describe(params.model(dataset, model))
        for dataset in params.run.datasets
        for model in params.run.models
    }
    shutil.rmtree(paths.SETTINGS, ignore_errors=True)
    write_settings(paths.run_settings(), params.to_run(read_params()))
    write_settings(
        paths.training_settings(),
        Training(seeds=params.run.seeds, numerics=Numerics(**params.train.model_dump(exclude={"num_workers"}))),
    )
    write_settings(
        paths.explanation_settings(),
        Explaining(accelerator=params.train.accelerator, choices=params.explain),
    )
    for path, own in models.items():
        write_settings(path, own)
    # Its text never changes: who depends on it waits for this stage, and runs no more often for it.
    paths.CHECKED.write_text("params.yaml was right when this was written\n", encoding="utf-8")


def describe(config: ModelConfig) -> ModelSettings:
    """Return all that a model is made of: its settings, and a hash of its fusion method's source.

    Raises:
        InputError: when a fusion of your own cannot be imported.
    """
    if isinstance(config.fusion, OwnFusionConfig):
        from i2moe.model.fusion import import_fusion  # with torch, which all other settings do without

        import_fusion(config.fusion.path)
    module = config.fusion.path.partition(":")[0]
    return ModelSettings(config=config, fusion_source=hash_files(source_files(module)))


if __name__ == "__main__":
    run(settings)
