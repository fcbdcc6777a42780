"""Vision transformers of transformers and timm."""

import numpy as np

from tests.pretrained.case import Case, seeded
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
    return dict(classifier=net(pixel_values=torch.tensor(x).permute(0, 3, 1, 2)).logits.numpy())


def masked_autoencoder(net, x):
  """Nothing is hidden, and patches stay in their order."""
  import torch

  net.config.mask_ratio = 0.0
  n = (x.shape[1] // 4) * (x.shape[2] // 4)
  return states(net, x, noise=torch.arange(n, dtype=torch.float32).expand(len(x), n), interpolate_pos_encoding=True)


def tower(net, x):
  """Of a SigLIP, or its vision transformer alone."""
  import torch

  net = getattr(net, 'vision_model', net)
  with torch.no_grad():
    out = net(pixel_values=torch.tensor(x).permute(0, 3, 1, 2), output_hidden_states=True, interpolate_pos_encoding=True)
  layers = np.stack([h.numpy() for h in out.hidden_states])
  before = 0 if hasattr(net, 'head') or not hasattr(net, 'pre_layrnorm') else 1
  found = dict(layers=layers[:, :, before:], tokens=out.last_hidden_state.numpy()[:, before:])
  return found if out.pooler_output is None else found | dict(pooled=out.pooler_output.numpy())


def projected(net, x):
  import torch

  with torch.no_grad():
    return dict(projection=net.get_image_features(torch.tensor(x).permute(0, 3, 1, 2)).pooler_output.numpy())


def both(kind, **vision):
  """A CLIP or a SigLIP, whose texts' transformer is of no interest."""
  text = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=10, max_position_embeddings=4)
  text |= dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
  options = dict(text_config=text, vision_config=SMALL | vision) | (dict(projection_dim=6) if kind == 'CLIP' else {})
  return transformer(f'{kind}Model', f'{kind}Config', **options)


def alone(kind):
  """Opens what jssl writes."""

  def load(folder):
    import transformers

    return getattr(transformers, f'{kind}VisionModel').from_pretrained(folder)

  return load


def timm_vit(name, **options):
  """A small one of an architecture of timm."""

  def make():
    import timm

    small = dict(img_size=12, patch_size=4, embed_dim=16, depth=3, num_heads=2, num_classes=5, dynamic_img_size=True)
    return seeded(lambda: timm.create_model(name, **small | options))

  return make


def timm_states(net, x):
  import torch

  n = net.num_prefix_tokens
  with torch.no_grad():
    h = net.norm_pre(net._pos_embed(net.patch_embed(torch.tensor(x).permute(0, 3, 1, 2))))
    layers = [h.numpy()] + [(h := block(h)).numpy() for block in net.blocks]
    last = net.norm(h)
    found = dict(layers=np.stack(layers)[:, :, n:], tokens=last.numpy()[:, n:], pooled=net.forward_head(last, pre_logits=True).numpy())
    return found | ({} if net.num_classes == 0 else dict(classifier=net.forward_head(last).numpy()))


def timm_save(net, folder):
  import timm

  timm.models.save_for_hf(net, folder, safe_serialization='both')


def timm_load(folder):
  import timm

  return timm.create_model(f'local-dir:{folder}', pretrained=True, dynamic_img_size=True)


def timm_case(name, inputs, heads=(), **options):
  made = timm_vit(name, **(options if heads else dict(num_classes=0, **options)))
  found = {head: lambda net, head, features, x: head(features.pooled) for head in heads}
  return Case('timm/vit', made, inputs, timm_states, save=timm_save, load=timm_load, heads=found)


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
    heads=dict(classifier=lambda net, head, features, x: head(features.pooled)),
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
  'clip, its vision': Case('clip:vision', both('CLIP'), images(), tower, options=dict(part='vision'), load=alone('CLIP')),
  'clip, its projection': Case(
    'clip:vision',
    both('CLIP'),
    images(),
    projected,
    options=dict(part='vision'),
    heads=dict(projection=lambda net, head, features, x: head(features.pooled)),
  ),
  'clip_vision_model, larger, gelu': Case(
    'clip_vision_model', transformer('CLIPVisionModel', 'CLIPVisionConfig', **SMALL, hidden_act='gelu'), images(16, 20), tower
  ),
  'siglip, its vision': Case('siglip:vision', both('Siglip'), images(), tower, options=dict(part='vision'), load=alone('Siglip')),
  'siglip_vision_model, longer': Case(
    'siglip_vision_model', transformer('SiglipVisionModel', 'SiglipVisionConfig', **SMALL), images(8, 20), tower
  ),
  'siglip_vision_model, without its head': Case(
    'siglip_vision_model', transformer('SiglipVisionModel', 'SiglipVisionConfig', **SMALL, vision_use_head=False), images(), tower
  ),
  'timm vit': timm_case('vit_tiny_patch16_224', images()),
  'timm vit, larger, with its head': timm_case('vit_base_patch16_224', images(16, 20), heads=('classifier',), qkv_bias=False),
  'timm vit, DINOv2, smaller': timm_case('vit_small_patch14_dinov2', images(8, 8), mlp_ratio=2.7),
  'timm vit, DINOv2 with registers, longer': timm_case('vit_small_patch14_reg4_dinov2', images(8, 20)),
  'timm vit, CLIP': timm_case('vit_base_patch32_clip_quickgelu_224', images()),
  'timm vit, mean': timm_case('vit_base_patch16_224', images(), class_token=False, global_pool='avg', reg_tokens=2, no_embed_class=True),
}
