"""ResNet, ConvNeXt and Swin: the map of every stage, and folders that are refused."""

import json

import jax
import numpy as np
import pytest
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import from_folder, write_folder
from jssl.models.vision import convnext, resnet, swin
from tests.pretrained.case import absent
from tests.pretrained.convolutional_cases import CASES, torched

STAGES = ['resnet, basic blocks', 'resnet, bottlenecks', 'convnext', 'convnextv2', 'swin, windows that do not divide', 'timm swin']


def their_maps(net, x):
  """What every stage gives, [b h w d]."""
  import torch

  with torch.no_grad():
    if not hasattr(net, 'config'):
      found = net.forward_intermediates(torched(x), intermediates_only=True)
    elif net.config.model_type == 'swin':
      found = net(torched(x), output_hidden_states=True, output_hidden_states_before_downsampling=True).reshaped_hidden_states[1:]
    else:
      found = net(torched(x), output_hidden_states=True).hidden_states[1:]
  return [y.permute(0, 2, 3, 1).numpy() for y in found]


@pytest.mark.parametrize('name', STAGES)
def test_stage_by_stage(name, tmp_path):
  if why := absent(*(['timm'] if name.startswith('timm') else [])):
    pytest.skip(why)
  case = CASES[name]
  theirs, x = case.make(), case.inputs()
  case.save(theirs, tmp_path)
  net = from_folder(x.shape[1:], folder=str(tmp_path), rngs=nnx.Rngs(0))
  net.eval()
  graphdef, state = nnx.split(net)
  found, expected = jax.jit(lambda state, x: nnx.merge(graphdef, state, copy=True).maps(x))(state, x), their_maps(theirs, x)
  assert len(found) == len(expected)
  for i, (own, other) in enumerate(zip(found, expected, strict=True)):
    np.testing.assert_allclose(own, other, atol=1e-4, rtol=1e-4, err_msg=f'stage {i + 1}')


@pytest.mark.parametrize(
  'config, match',
  [
    (dict(model_type='resnet', downsample_in_bottleneck=True), 'downsample_in_bottleneck = True'),
    (dict(model_type='resnet', downsample_in_first_stage=True), 'downsample_in_first_stage = True'),
    (dict(model_type='resnet', layer_type='wide'), "layer_type = 'wide'"),
    (dict(model_type='resnet', hidden_sizes=[256, 512, 1000, 2048]), 'double from stage to stage'),
    (dict(model_type='resnet', embedding_size=32), 'only 128 can be read'),
    (dict(model_type='resnet', depths=[3, 4]), '4 hidden_sizes and 2 depths'),
    (dict(model_type='resnet', depths=[3, 4, 6, 0]), 'integers above 0'),
    (dict(architecture='resnet50d.ra2_in1k'), "architecture 'resnet50d'"),
    (dict(architecture='resnet50', global_pool='max'), "global_pool = 'max'"),
    (dict(architecture='resnet50', model_args=dict(output_stride=8)), 'output_stride'),
    (dict(architecture='resnet50', model_args=dict(layers=[1, 1])), '2 layers and 4 stages'),
    (dict(architecture='wide_resnet50_2'), "'timm/wide'"),
    (dict(model_type='convnext', hidden_act='relu'), "hidden_act = 'relu'"),
    (dict(model_type='convnext', layer_scale_init_value='small'), "layer_scale_init_value = 'small'"),
    (dict(model_type='convnextv2', depths='3339'), "depths = '3339'"),
    (dict(architecture='convnext_atto.d2_in1k'), "architecture 'convnext_atto'"),
    (dict(architecture='convnextv2_tiny', model_args=dict(ls_init_value=0.1)), 'ls_init_value = 0.1'),
    (dict(model_type='swin', use_absolute_embeddings=True), 'use_absolute_embeddings = True'),
    (dict(model_type='swin', num_heads=[5, 6, 12, 24]), 'which do not divide widths from 96 on'),
    (dict(model_type='swinv2'), "model_type = 'swinv2'"),
    (dict(architecture='swinv2_tiny_window8_256'), "'timm/swinv'"),
    (dict(architecture='swin_s3_tiny_224'), "architecture 'swin_s3_tiny_224'"),
  ],
)
def test_folders_are_refused_in_a_line(config, match, tmp_path):
  (tmp_path / 'config.json').write_text(json.dumps(config))
  with pytest.raises(PretrainedError, match=match) as refused:
    from_folder((64, 64, 3), folder=str(tmp_path), rngs=nnx.Rngs(0))
  assert '\n' not in str(refused.value)


SWIN = dict(width=4, depths=(2,), heads=(2,), window=4)


@pytest.mark.parametrize(
  'make, family, match',
  [
    (lambda rngs: resnet.resnet18((32, 32, 3), width=4, rngs=rngs), 'resnet', "stem='cifar'"),
    (lambda rngs: resnet.resnet18((64, 64, 3), width=4, norm='group', rngs=rngs), 'resnet', "norm='group'"),
    (lambda rngs: resnet.resnet18((64, 64, 3), width=4, rngs=rngs), 'timm/resnet', 'width 4'),
    (lambda rngs: convnext.ConvNeXt((8, 8, 3), widths=(4,), depths=(1,), grn=True, rngs=rngs), 'convnext', 'grn=True'),
    (lambda rngs: convnext.ConvNeXt((8, 8, 3), widths=(4,), depths=(1,), rngs=rngs), 'timm/convnext', '1 stages'),
    (lambda rngs: swin.Swin((8, 8, 3), **SWIN, rngs=rngs), 'swin', 'fit=False'),
    (lambda rngs: swin.Swin((32, 20, 3), **SWIN, rngs=rngs), 'timm/swin', 'timm=True'),
    (lambda rngs: convnext.convnext_tiny((32, 32, 3), rngs=rngs), 'swin', 'expected a Swin'),
  ],
)
def test_what_a_folder_cannot_say_is_not_written(make, family, match, tmp_path):
  with pytest.raises(PretrainedError, match=match):
    write_folder(tmp_path, nnx.eval_shape(lambda: make(nnx.Rngs(0))), family)
