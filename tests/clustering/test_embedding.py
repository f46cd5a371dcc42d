"""The way of pictures through a network."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.clustering import embedding, pictures
from neoai_utils.clustering.vectors import unit
from neoai_utils.errors import AssetError


@pytest.fixture(scope="module")
def tiny():
    """A network of timm's with random weights: what is tested is the way through it."""
    import timm
    import torch

    torch.manual_seed(0)
    return timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()


def test_each_picture_has_one_vector_whatever_the_batches(tiny):
    import torch

    net = embedding.Network(tiny, (0.5,) * 3, (0.5,) * 3)
    batch = np.random.default_rng(0).random((6, 64, 64), np.float32)
    threads = torch.get_num_threads()
    whole = embedding.embed(net, [batch])
    parts = embedding.embed(net, (batch[i : i + 4] for i in (0, 4)))
    assert torch.get_num_threads() == threads
    assert (whole.shape, whole.dtype) == ((6, 1280), np.float32)
    assert np.allclose(whole, parts, atol=1e-4)
    assert np.array_equal(parts, embedding.embed(net, (batch[i : i + 4] for i in (0, 4))))
    colours = torch.from_numpy((batch - 0.5) / 0.5)[:, None].expand(-1, 3, -1, -1)
    with torch.inference_mode():
        assert np.allclose(whole, tiny.forward_features(colours).mean((2, 3)).numpy(), atol=1e-4)


def test_a_network_with_a_fixed_size_gets_it():
    import timm

    module = timm.create_model("test_vit", pretrained=False, num_classes=0)
    net = embedding.Network(
        module.eval(), (0.5,) * 3, (0.5,) * 3, side=module.default_cfg["input_size"][1], pooled=True
    )
    vectors = embedding.embed(net, [np.zeros((2, 128, 128), np.float32)])
    assert vectors.shape == (2, module.num_features)


def test_an_unknown_network_is_named():
    with pytest.raises(AssetError, match="'no_such_network' cannot be loaded"):
        embedding.load_network("no_such_network")


def test_a_network_out_of_a_folder(saved_network):
    folder, module = saved_network
    net = embedding.load_network(str(folder))
    assert (tuple(net.mean), tuple(net.std), net.side) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 160)
    state = module.state_dict()
    assert all(np.array_equal(values, state[name]) for name, values in net.module.state_dict().items())


def test_a_network_that_is_attached_on_kaggle(saved_network, tmp_path, monkeypatch):
    folder, _ = saved_network
    mount = tmp_path / "input/timm/pytorch/test-vit-r160-in1k/1"
    mount.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(mount / name)
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "input"))
    assert embedding.load_network("test_vit").side == 160


def test_the_second_network_gives_the_mean_of_its_patches(monkeypatch):
    """DINOv2's states after its tenth block, without the class token, of pictures at 112 pixels."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    from neoai_utils import offline

    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=12, num_hidden_layers=11, num_attention_heads=2, image_size=28, patch_size=14)
    model = Dinov2Model(config).eval()
    monkeypatch.setattr(offline, "load_dinov2_small", lambda: model, raising=False)
    net = embedding.load_network("dinov2-small")
    grey = np.random.default_rng(0).random((2, 112, 112), np.float32)
    vectors = embedding.embed(net, [grey])
    mean, std = (torch.tensor(values)[:, None, None] for values in (net.mean, net.std))
    with torch.inference_mode():
        states = model((torch.from_numpy(grey)[:, None] - mean) / std, output_hidden_states=True).hidden_states[10]
    assert states.shape == (2, 65, 12)
    assert np.allclose(vectors, states[:, 1:].mean(dim=1).numpy(), atol=1e-4)


def test_a_folder_without_weights_is_named(saved_network):
    folder, _ = saved_network
    (folder / "model.safetensors").unlink()
    with pytest.raises(AssetError, match="holds none of model.safetensors"):
        embedding.load_network(str(folder))
    (folder / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(AssetError, match="cannot be loaded"):
        embedding.load_network(str(folder))


def test_the_competitions_network_and_the_one_that_takes_its_place(monkeypatch, capsys):
    asked = []

    def load(name, device):
        asked.append(name)
        if name:
            raise AssetError("the hub is out of reach")

    monkeypatch.setattr(embedding, "load_network", load)
    embedding.open_network("", competition=True)
    assert asked == ["tiny_vit_5m_224.dist_in22k_ft_in1k", ""]
    assert capsys.readouterr().out.count("\n") == 1
    embedding.open_network("")
    with pytest.raises(AssetError):
        embedding.open_network("mine", competition=True)
    assert asked[2:] == ["", "mine"]


@pytest.mark.assets
def test_the_real_network_separates_photographs():
    from neoai_utils.clustering.miniature import photographs
    from neoai_utils.offline import OutOfReachError

    try:
        net = embedding.load_network()
    except OutOfReachError as error:
        pytest.skip(str(error))
    crops = np.stack([p[:112, :112] for p in photographs.load()[:6]])
    shifted = np.stack([p[8:, 8:] for p in photographs.load()[:6]])
    one, other = (unit(embedding.embed(net, [pictures.normalised(x)])) for x in (crops, shifted))
    assert ((one @ other.T).argmax(axis=1) == np.arange(6)).all()
