"""ResNet, ConvNeXt and Swin."""

import json

import numpy as np

from tests.pretrained.case import Case, seeded


def images(*shape):
  return lambda: np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)


def torched(x):
  import torch

  return torch.from_numpy(np.moveaxis(x, -1, 1).copy())


def cells(x):
  """[b d h w] or [b n d] -> [b n d]."""
  x = x.detach().numpy()
  return x if x.ndim == 3 else np.moveaxis(x, 1, -1).reshape(len(x), -1, x.shape[1])


def of_transformers(kind, spread=0.3, **options):
  def make():
    import transformers

    config = getattr(transformers, kind.replace('Model', 'Config').replace('ForImageClassification', 'Config'))
    return seeded(lambda: getattr(transformers, kind)(config(**options)), spread)

  return make


def of_timm(name, spread=0.3, **options):
  def make():
    import timm

    return seeded(lambda: timm.create_model(name, **options), spread)

  return make


def hidden(net, x):
  import torch

  with torch.no_grad():
    found = net(torched(x))
  return dict(tokens=cells(found.last_hidden_state), pooled=found.pooler_output.reshape(len(x), -1).numpy())


def classified(net, x):
  import torch

  with torch.no_grad():
    return dict(**hidden(net.base_model, x), classifier=net(torched(x)).logits.numpy())


def timm_hidden(net, x):
  """Of a network with a classifier, what that gives too."""
  import torch

  with torch.no_grad():
    tokens = net.forward_features(torched(x))
    found = dict(
      tokens=cells(tokens) if net.__class__.__name__ != 'SwinTransformer' else tokens.flatten(1, 2).numpy(),
      pooled=net.forward_head(tokens, pre_logits=True).numpy(),
    )
    return found | (dict(classifier=net(torched(x)).numpy()) if net.num_classes else {})


def torchvision_hidden(net, x):
  import torch

  with torch.no_grad():
    stem = net.maxpool(net.relu(net.bn1(net.conv1(torched(x)))))
    tokens = net.layer4(net.layer3(net.layer2(net.layer1(stem))))
    return dict(tokens=cells(tokens), pooled=tokens.mean((2, 3)).numpy(), classifier=net(torched(x)).numpy())


def torchvision_resnet18():
  import torchvision

  return seeded(torchvision.models.resnet18, 0.03)


def save_state(net, folder):
  """As docs/pretrained.md says."""
  from safetensors.torch import save_file

  save_file(net.state_dict(), folder / 'model.safetensors')
  (folder / 'config.json').write_text(json.dumps(dict(architecture='resnet18')))


def timm_save(net, folder):
  import timm

  timm.models.save_for_hf(net, folder, safe_serialization=True)


def timm_load(folder):
  import timm

  return timm.create_model(f'local-dir:{folder}', pretrained=True)


def classify(net, head, features, x):
  return head(features.pooled)


CLASSIFIER = dict(classifier=classify)
AS_TIMM = dict(save=timm_save, load=timm_load)
RESNET = dict(embedding_size=6, depths=[2, 1, 2])
CONVNEXT = dict(hidden_sizes=[6, 10, 12], depths=[1, 3, 2], num_stages=3)
TIMM_CONVNEXT = dict(dims=[6, 10, 12, 8], depths=[1, 3, 1, 2])
SWIN = dict(embed_dim=6, depths=[2, 3], num_heads=[1, 3], window_size=4)
BASIC = dict(RESNET, layer_type='basic', hidden_sizes=[6, 12, 24])
BOTTLENECK = dict(RESNET, layer_type='bottleneck', hidden_sizes=[24, 48, 96])
V1, V2 = dict(CONVNEXT, layer_scale_init_value=0.1), dict(CONVNEXT, layer_norm_eps=1e-6)
CASES = {
  'resnet, basic blocks': Case('resnet', of_transformers('ResNetModel', 0.1, **BASIC), images(65, 48), hidden),
  'resnet, bottlenecks': Case('resnet', of_transformers('ResNetModel', 0.1, **BOTTLENECK), images(47, 50), hidden),
  'resnet, with its classifier': Case(
    'resnet', of_transformers('ResNetForImageClassification', 0.1, **BASIC, num_labels=5), images(32, 37), classified, heads=CLASSIFIER
  ),
  'timm resnet18': Case('timm/resnet', of_timm('resnet18', 0.05, layers=(1, 2, 1, 1), num_classes=0), images(33, 40), timm_hidden, **AS_TIMM),
  'timm resnet50, with its classifier': Case(
    'timm/resnet',
    of_timm('resnet50', 0.05, layers=(1, 2, 1, 1), num_classes=7),
    images(33, 31),
    timm_hidden,
    heads=CLASSIFIER,
    **AS_TIMM,
  ),
  'torchvision resnet18': Case('timm/resnet', torchvision_resnet18, images(65, 40), torchvision_hidden, heads=CLASSIFIER, save=save_state),
  'convnext': Case('convnext', of_transformers('ConvNextModel', **V1), images(53, 46), hidden),
  'convnext, with its classifier': Case(
    'convnext', of_transformers('ConvNextForImageClassification', **V1, num_labels=5), images(48, 32), classified, heads=CLASSIFIER
  ),
  'convnextv2': Case('convnextv2', of_transformers('ConvNextV2Model', **V2), images(53, 46), hidden),
  'convnextv2, with its classifier': Case(
    'convnextv2', of_transformers('ConvNextV2ForImageClassification', **V2, num_labels=5), images(48, 32), classified, heads=CLASSIFIER
  ),
  'timm convnext': Case('timm/convnext', of_timm('convnext_tiny', **TIMM_CONVNEXT, num_classes=0), images(70, 65), timm_hidden, **AS_TIMM),
  'timm convnext, with its classifier': Case(
    'timm/convnext', of_timm('convnext_tiny', **TIMM_CONVNEXT, num_classes=7), images(64, 32), timm_hidden, heads=CLASSIFIER, **AS_TIMM
  ),
  'timm convnextv2': Case('timm/convnextv', of_timm('convnextv2_tiny', **TIMM_CONVNEXT, num_classes=0), images(70, 65), timm_hidden, **AS_TIMM),
  'swin': Case('swin', of_transformers('SwinModel', **SWIN, image_size=(32, 64)), images(32, 64), hidden),
  'swin, windows that do not divide': Case('swin', of_transformers('SwinModel', **SWIN, image_size=(39, 50)), images(39, 50), hidden),
  'swin, with its classifier': Case(
    'swin', of_transformers('SwinForImageClassification', **SWIN, image_size=32, num_labels=5), images(32, 32), classified, heads=CLASSIFIER
  ),
  'timm swin': Case(
    'timm/swin',
    of_timm('swin_tiny_patch4_window7_224', **SWIN, img_size=(32, 64), num_classes=0),
    images(32, 64),
    timm_hidden,
    **AS_TIMM,
  ),
  'timm swin, windows that do not divide': Case(
    'timm/swin',
    of_timm('swin_tiny_patch4_window7_224', **SWIN, img_size=(12, 52), num_classes=0),
    images(12, 52),
    timm_hidden,
    **AS_TIMM,
  ),
  'timm swin, with its classifier': Case(
    'timm/swin',
    of_timm('swin_tiny_patch4_window7_224', **SWIN, img_size=32, num_classes=7),
    images(32, 32),
    timm_hidden,
    heads=CLASSIFIER,
    **AS_TIMM,
  ),
}
