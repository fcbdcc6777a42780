"""Vision transformers of transformers and timm."""

import numpy as np

from tests.pretrained.case import Case
from tests.pretrained.text_cases import transformer

SIDES = dict(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, image_size=12, patch_size=4)
SMALL = dict(**SIDES, intermediate_size=24)
DINOV2 = dict(**SIDES, mlp_ratio=2)


def images(*shape):
  """A batch of images of (h, w), or (12, 12), whose sides are those of the positions."""
  return lambda: np.random.default_rng(0).normal(size=(2, *(shape or (12, 12)), 3)).astype(np.float32)


def states(net, x, before=1, **options):
  """Hidden states of the patches, and what is made of the last ones, without the `before` tokens before them."""
  import torch

  with torch.no_grad():
    out = net(pixel_values=torch.tensor(x).permute(0, 3, 1, 2), output_hidden_states=True, **options)
  layers = np.stack([h.numpy() for h in out.hidden_states])[:, :, before:]
  return dict(layers=layers, tokens=out.last_hidden_state.numpy()[:, before:], pooled=out.last_hidden_state.numpy()[:, 0])


def classified(net, x):
  import torch

  with torch.no_grad():
    return dict(classification=net(pixel_values=torch.tensor(x).permute(0, 3, 1, 2)).logits.numpy())


def masked_autoencoder(net, x):
  """Nothing is hidden, and patches stay in their order."""
  import torch

  net.config.mask_ratio = 0.0
  n = (x.shape[1] // 4) * (x.shape[2] // 4)
  return states(net, x, noise=torch.arange(n, dtype=torch.float32).expand(len(x), n), interpolate_pos_encoding=True)


larger = lambda net, x: states(net, x, interpolate_pos_encoding=True)
of_registers = lambda net, x: states(net, x, before=3)
REGISTERS = dict(**DINOV2, num_register_tokens=2)
DINOV3 = dict(**SMALL, num_register_tokens=2)
CASES = {
  'vit': Case('vit', transformer('ViTModel', 'ViTConfig', **SMALL), images(), states),
  'vit, larger, without bias': Case('vit', transformer('ViTModel', 'ViTConfig', **SMALL, qkv_bias=False), images(20, 16), larger),
  'vit, with its head': Case(
    'vit',
    transformer('ViTForImageClassification', 'ViTConfig', **SMALL, num_labels=5),
    images(),
    classified,
    heads=dict(classification=lambda net, head, features, x: head(features.pooled)),
  ),
  'vit_mae': Case('vit_mae', transformer('ViTMAEModel', 'ViTMAEConfig', **SMALL), images(), masked_autoencoder),
  'dinov2': Case('dinov2', transformer('Dinov2Model', 'Dinov2Config', **DINOV2), images(), states),
  'dinov2, smaller, gated': Case('dinov2', transformer('Dinov2Model', 'Dinov2Config', **DINOV2, use_swiglu_ffn=True), images(8, 8), states),
  'dinov2_with_registers': Case(
    'dinov2_with_registers', transformer('Dinov2WithRegistersModel', 'Dinov2WithRegistersConfig', **REGISTERS), images(), of_registers
  ),
  'dinov2_with_registers, smaller and longer': Case(
    'dinov2_with_registers', transformer('Dinov2WithRegistersModel', 'Dinov2WithRegistersConfig', **REGISTERS), images(8, 20), of_registers
  ),
  'dinov3_vit': Case('dinov3_vit', transformer('DINOv3ViTModel', 'DINOv3ViTConfig', **DINOV3), images(), of_registers),
  'dinov3_vit, longer, gated': Case(
    'dinov3_vit',
    transformer('DINOv3ViTModel', 'DINOv3ViTConfig', **DINOV3, use_gated_mlp=True, hidden_act='silu', query_bias=False, value_bias=False),
    images(8, 20),
    of_registers,
  ),
}
