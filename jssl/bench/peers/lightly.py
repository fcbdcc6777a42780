"""SimCLR, DINO and MAE by lightly and PyTorch, eager, in float32.

Views are those of torchvision on PIL images, which workers of a data loader draw, one worker per core. Networks are those of torchvision and
timm with the sizes of the config.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from lightly.loss import DINOLoss, NTXentLoss
from lightly.models.modules import DINOProjectionHead, MaskedVisionTransformerTIMM
from lightly.models.modules.masked_vision_transformer_decoder_timm import MaskedVisionTransformerDecoderTIMM
from lightly.models.utils import deactivate_requires_grad, get_at_index, patchify, random_token_mask, set_at_index, update_momentum
from PIL import Image
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torchvision import transforms as T
from torchvision.models import resnet18

from jssl.bench.served import Trainer, end_with_parent
from jssl.core.build import open_data
from jssl.errors import ConfigError
from jssl.options import lookup

Views = tuple[torch.Tensor, ...]
MOST = 10_000  # images that are held


def prepare(config: Any) -> Trainer:
  """Whole iterations: loader, views, networks, loss and optimiser."""
  loader, trained, step = parts(config)

  def run(iterations: int) -> None:
    for _ in range(iterations):
      step(next(loader))

  return Trainer(run, facts(trained))


def ready(config: Any) -> Trainer:
  """Networks, loss and optimiser alone, on views that are drawn once."""
  loader, trained, step = parts(config)
  given = next(loader)

  def run(iterations: int) -> None:
    for _ in range(iterations):
      step(given)

  return Trainer(run, facts(trained))


def facts(trained: list[nn.Parameter]) -> dict[str, Any]:
  return {'parameters': sum(p.numel() for p in trained), 'versions': {name: version(name) for name in ('torch', 'torchvision', 'lightly')}}


def parts(config: Any) -> tuple[Iterator[Views], list[nn.Parameter], Callable[[Views], None]]:
  """The batches of views, the trained parameters, and the update of them, for one of the three systems.

  Raises:
    ConfigError: there is no counterpart of the system, of its network or of its views.
  """
  c = config.to_dict()
  kinds = {loss['name'] for loss in c['losses'].values()}
  makers: dict[str, Callable] = {'nt_xent': simclr, 'dino': dino, 'masked_mse': mae}
  if len(kinds) != 1 or not (kind := kinds & makers.keys()):
    raise ConfigError(f'no counterpart in lightly is written for the losses {sorted(kinds)}; there is one for {", ".join(makers)}')
  split = open_data(c['data']).splits['train']
  images = split.take(np.arange(min(len(split), MOST)))['image']  # held here: workers that are forked cannot use threads of this process
  loader = batches(images, views(c['view'], images.shape[1]), c['batch_size'])
  networks, step = makers[kind.pop()](c, images.shape[1:])
  trained = [p for p in networks.parameters() if p.requires_grad]
  optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=c['optimizer'].get('weight_decay', 0.0))

  def update(given: Views) -> None:
    loss = step(given)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

  return loader, trained, update


class Pictures(torch.utils.data.Dataset):
  """Views of images."""

  def __init__(self, images: np.ndarray, draws: list[T.Compose]):
    self.images, self.draws = images, draws

  def __len__(self) -> int:
    return len(self.images)

  def __getitem__(self, i: int) -> Views:
    picture = Image.fromarray(np.squeeze(self.images[i]))
    return tuple(draw(picture) for draw in self.draws)


def batches(images: np.ndarray, draws: list[T.Compose], size: int) -> Iterator[Views]:
  """Batches without end, in a new order for each epoch."""
  order = Epochs(len(images), size)
  workers = dict(num_workers=os.cpu_count() or 1, worker_init_fn=end_with_parent)
  return iter(torch.utils.data.DataLoader(Pictures(images, draws), batch_sampler=order, **workers))


class Epochs(torch.utils.data.Sampler):
  """Rows of whole batches, epoch after epoch."""

  def __init__(self, count: int, size: int):
    self.count, self.size = count, min(size, count)

  def __iter__(self) -> Iterator[list[int]]:
    rng = np.random.default_rng(0)
    while True:
      order = rng.permutation(self.count)
      for i in range(0, self.count - self.size + 1, self.size):
        yield order[i : i + self.size].tolist()


def views(view: Mapping[str, Any], size: int) -> list[T.Compose]:
  """The counterparts of `jssl.views.image.augment`."""
  if view['name'] != 'augment':
    raise ConfigError(f'no counterpart in torchvision is written for the view {view["name"]!r}; there is one for augment')
  each = view.get('views', 2)
  return [_view({**view, **own}, size) for own in (({},) * each if isinstance(each, int) else each)]


def _view(v: Mapping[str, Any], size: int) -> T.Compose:
  steps: list[Any] = []
  if v.get('crop') is not None:
    steps.append(T.RandomResizedCrop(v.get('size') or size, scale=v['crop'].get('scale', (0.08, 1.0))))
  if a := v.get('affine'):
    steps.append(
      T.RandomAffine(
        a.get('degrees', 0), (a['translate'],) * 2 if a.get('translate') else None, a.get('scale'), a.get('shear'),
        interpolation=T.InterpolationMode.BILINEAR,
      )
    )  # fmt: skip
  if v.get('flip'):
    steps.append(T.RandomHorizontalFlip(v['flip']))
  if j := v.get('jitter'):
    change = T.ColorJitter(**{name: j.get(name, 0) for name in ('brightness', 'contrast', 'saturation', 'hue')})
    steps.append(T.RandomApply([change], j.get('p', 0.8)))
  if v.get('grey'):
    steps.append(T.RandomGrayscale(v['grey']))
  if b := v.get('blur'):
    radius = b.get('radius') or max(size // 20, 1)
    steps.append(T.RandomApply([T.GaussianBlur(2 * radius + 1, b.get('sigma', (0.1, 2.0)))], b.get('p', 0.5)))
  if v.get('solarize'):
    steps.append(T.RandomSolarize(128, v['solarize']))
  steps.append(T.ToTensor())
  if v.get('mean') is not None:
    listed = lambda x: [x] if isinstance(x, float) else x
    steps.append(T.Normalize(listed(v['mean']), listed(v['std'])))
  return T.Compose(steps)


def network(spec: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[nn.Module, int]:
  """A backbone that pools, and its width."""
  name, channels = spec['name'], shape[-1]
  if name == 'convnet':
    return convnet(spec, channels)
  if name == 'resnet18':
    net = resnet18()
    net.conv1, net.maxpool = nn.Conv2d(channels, 64, 3, padding=1, bias=False), nn.Identity()  # the stem for small images
    net.fc = nn.Identity()
    return net, 512
  if name.startswith('vit_'):
    net = vit(spec, shape)
    return net, net.embed_dim
  raise ConfigError(f'no counterpart in PyTorch is written for the network {name!r}; there is one for convnet, resnet18 and vit_*')


def convnet(spec: Mapping[str, Any], channels: int) -> tuple[nn.Module, int]:
  kernels, widths, layers = spec.get('kernel', (4, 2)), spec['widths'], []
  kernels = [kernels] if isinstance(kernels, int) else list(kernels)
  for i, width in enumerate(widths):
    k = kernels[min(i, len(kernels) - 1)]
    layers += [nn.Conv2d(channels, width, k, 2, padding=k // 2 if k % 2 else (k - 2) // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
  return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels


def vit(spec: Mapping[str, Any], shape: tuple[int, ...]) -> VisionTransformer:
  size = lookup('models', spec['name'], 'backbone').keywords | spec
  pool = size.get('pool', 'cls')
  return VisionTransformer(
    img_size=shape[0], patch_size=size['patch'], in_chans=shape[-1], embed_dim=size['width'], depth=size['depth'], num_heads=size['heads'],
    num_classes=0, global_pool={'cls': 'token', 'mean': 'avg'}[pool], class_token=pool == 'cls' or bool(size.get('class_token')),
    fc_norm=False, dynamic_img_size=pool != 'mean',
  )  # fmt: skip


def mlp(width: int, spec: Mapping[str, Any]) -> nn.Module:
  """The counterpart of `jssl.models.heads.projection.ProjectionMlp`."""
  layers: list[nn.Module] = []
  norm = spec.get('norm', 'batch') == 'batch'
  for i, out in enumerate(spec['widths'], 1):
    last = i == len(spec['widths'])
    layers.append(nn.Linear(width, out, bias=spec.get('final_bias' if last else 'bias', True)))
    if not last:
      layers += [nn.BatchNorm1d(out), nn.ReLU()] if norm else [nn.ReLU()]
    width = out
  return nn.Sequential(*layers)


def simclr(c: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[nn.Module, Callable[[Views], torch.Tensor]]:
  backbone, width = network(c['backbone'], shape)
  both = nn.Sequential(backbone, mlp(width, c['heads']['projector']))
  (loss,) = c['losses'].values()
  criterion = NTXentLoss(temperature=loss['temperature'])
  return both, lambda given: criterion(both(given[0]), both(given[1]))


def dino(c: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[nn.Module, Callable[[Views], torch.Tensor]]:
  spec = c['heads']['projector']

  def networks() -> nn.Module:
    backbone, width = network(c['backbone'], shape)
    sizes = (spec.get('hidden', 2048), spec.get('bottleneck', 256), spec.get('k', 65536))
    return nn.Sequential(backbone, DINOProjectionHead(width, *sizes, batch_norm=spec.get('norm') == 'batch'))

  student, teacher = networks(), networks()
  teacher.load_state_dict(student.state_dict())
  deactivate_requires_grad(teacher)
  criterion = DINOLoss(output_dim=spec.get('k', 65536), warmup_teacher_temp_epochs=0)
  count = c['passes']['views'].get('teacher_views', 2)

  def step(given: Views) -> torch.Tensor:
    update_momentum(student, teacher, m=0.996)
    with torch.no_grad():
      targets = [teacher(x) for x in given[:count]]
    return criterion(targets, [student(x) for x in given], epoch=0)

  return student, step


def mae(c: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[nn.Module, Callable[[Views], torch.Tensor]]:
  backbone = MaskedVisionTransformerTIMM(vit=vit(c['backbone'], shape))
  if backbone.mask_token is not None:
    backbone.mask_token.requires_grad = False  # of other methods
  spec, patch = c['heads']['decoder'], c['backbone']['patch']
  prefix, count = backbone.vit.num_prefix_tokens, (shape[0] // patch) ** 2
  decoder = nn.ModuleDict(
    {
      'embed': nn.Linear(backbone.vit.embed_dim, spec['width']),
      'blocks': MaskedVisionTransformerDecoderTIMM(
        num_patches=count, embed_dim=spec['width'], depth=spec['depth'], num_heads=spec['heads'], num_prefix_tokens=prefix
      ),
      'pixels': nn.Linear(spec['width'], patch**2 * shape[-1]),
    }
  )
  ratio = next(one['mask']['ratio'] for one in c['passes'].values() if 'mask' in one)

  def step(given: Views) -> torch.Tensor:
    images = given[0]
    keep, hidden = random_token_mask((len(images), count + prefix), mask_ratio=ratio, mask_class_token=prefix == 0)
    seen = decoder['embed'](backbone.encode(images, idx_keep=keep))
    blocks = decoder['blocks']
    tokens = blocks.mask_token.expand(len(images), count + prefix, -1)
    tokens = set_at_index(tokens, keep, seen) + blocks.pos_embed
    predicted = decoder['pixels'](get_at_index(blocks.decode(tokens), hidden))
    target = get_at_index(patchify(images, patch), hidden - prefix)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6) ** 0.5
    return nn.functional.mse_loss(predicted, target)

  return nn.ModuleList([backbone, decoder]), step
