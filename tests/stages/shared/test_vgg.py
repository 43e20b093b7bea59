"""Weights of VGG: random by seed, by name, or of a file that must hold tensors and nothing else."""

import os
import pickle

import pytest
import torch
from torch import nn

from i2moe.base.errors import InputError
from stages.shared.images.networks import build_network, fingerprint, untrained_note
from tests.stages.shared.test_images import tiny_network


def small_vgg(monkeypatch):
    """Let torchvision build a tiny network where it would build a VGG."""

    def get_model(_, weights=None, **__):
        assert weights is None
        return tiny_network(seed=int(torch.randint(1000, (1,))))

    monkeypatch.setattr("torchvision.models.get_model", get_model)


def test_random_weights_depend_on_the_seed_alone(monkeypatch):
    small_vgg(monkeypatch)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (build_network("vgg11", "none", seed, "key") for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)


def test_a_fingerprint_depends_on_weights_and_whatever_else_is_given():
    assert fingerprint(tiny_network(), 8) == fingerprint(tiny_network(), 8)
    assert len({fingerprint(tiny_network(0), 8), fingerprint(tiny_network(1), 8), fingerprint(tiny_network(0), 9)}) == 3


def test_a_local_file_of_weights_is_loaded(monkeypatch, tmp_path):
    small_vgg(monkeypatch)
    trained = tiny_network(99)
    torch.save(trained.state_dict(), tmp_path / "vgg.pth")
    assert fingerprint(build_network("vgg11", str(tmp_path / "vgg.pth"), 0, "key")) == fingerprint(trained)


class Malicious:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


@pytest.mark.parametrize("content", ["other network", "cut off", "no weights", "pickle", "malicious", "list"])
def test_a_file_that_is_no_state_dict_is_refused_and_never_executed(monkeypatch, tmp_path, content):
    small_vgg(monkeypatch)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vgg.pth"
    torch.save(nn.Linear(2, 2).state_dict() if content == "other network" else [1, 2], path)
    if content == "cut off":
        path.write_bytes(path.read_bytes()[:200])
    elif content == "no weights":
        path.write_bytes(b"text")
    elif content in ("pickle", "malicious"):
        path.write_bytes(pickle.dumps(Malicious() if content == "malicious" else {"features.0.weight": 1}, protocol=2))
    with pytest.raises(InputError, match=r"key: .*vgg\.pth is not a state dict of torchvision's vgg11 .*vgg11-.*\.pth"):
        build_network("vgg11", str(path), 0, "key")
    assert not (tmp_path / "executed").exists()


def test_an_unknown_name_of_weights_is_refused():
    with pytest.raises(InputError, match=r"key: 'IMAGENET' is not a file; allowed: none, IMAGENET1K_V1, .*local file"):
        build_network("vgg11", "IMAGENET", 0, "key")


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("invalid hash value")])
def test_weights_that_cannot_be_downloaded_are_refused_with_their_address(monkeypatch, error):
    def get_state_dict(*_, **options):
        assert options["weights_only"]
        raise error

    small_vgg(monkeypatch)
    monkeypatch.setattr("torchvision.models.VGG11_Weights.get_state_dict", get_state_dict)
    with pytest.raises(InputError, match=r"key: torchvision cannot download .*bring https://.*vgg11.*\.pth to this"):
        build_network("vgg11", "IMAGENET1K_V1", 0, "key")


def test_only_untrained_features_have_a_note():
    assert untrained_note("none", "VGG-11", 3) == "untrained image features (VGG-11 with random weights, seed 3)"
    assert untrained_note("IMAGENET1K_V1", "VGG-11", 3) is None


def test_weights_by_name_are_those_that_torchvision_gives(monkeypatch):
    small_vgg(monkeypatch)
    trained = tiny_network(7)
    monkeypatch.setattr("torchvision.models.VGG16_Weights.get_state_dict", lambda *_, **__: trained.state_dict())
    assert fingerprint(build_network("vgg16", "IMAGENET1K_V1", 0, "key")) == fingerprint(trained)
