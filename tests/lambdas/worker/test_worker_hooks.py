"""A site's own code before and after the network."""

import pytest
from inference_kit import PROBE, simulated, work
from worker_kit import hooks

from lambdas.model.spec import ModelError


def test_a_users_hooks_stand_before_and_after_the_network(
    begin, bus, images, tmp_path, monkeypatch
):
    seen = []
    env = hooks(
        monkeypatch,
        transform=lambda image: seen.append(image.shape) or image[:100, :100],
        postprocess=lambda outputs: {"shape": list(outputs[0].shape)},
    )
    worker = begin(simulated(tmp_path / "m", wait_ms=0), **env)
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    worker.handle(PROBE)
    assert seen == [(400, 600, 3)]
    assert bus.results()[0]["output"] == {"shape": [10]}


@pytest.mark.parametrize("which", ["transform", "postprocess"])
def test_a_hook_that_raises_costs_its_image_a_failed_record(
    begin, bus, images, tmp_path, monkeypatch, which
):
    env = hooks(monkeypatch, **{which: lambda value: 1 // 0})
    worker = begin(simulated(tmp_path / "m", wait_ms=0), **env)
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    worker.handle(PROBE)
    (result,) = bus.results()
    assert result["reason"] == "model_error"
    assert f"{which}: ZeroDivisionError" in result["detail"]


def test_an_output_that_json_cannot_say_is_a_failed_record(
    begin, bus, images, tmp_path, monkeypatch
):
    env = hooks(monkeypatch, postprocess=lambda outputs: {"score": outputs[0]})
    worker = begin(simulated(tmp_path / "m", wait_ms=0), **env)
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    worker.handle(PROBE)
    assert bus.results()[0]["reason"] == "model_error"


def test_hooks_that_cannot_be_imported_stop_the_start_with_their_name(begin, tmp_path):
    with pytest.raises(ModelError, match="FANFOLD_HOOKS=no_such_hooks: cannot be imported"):
        begin(simulated(tmp_path / "m", wait_ms=0), FANFOLD_HOOKS="no_such_hooks")
