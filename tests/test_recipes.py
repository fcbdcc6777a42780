"""Published scales: as many parameters as in the official codes, and all of them on the page of recipes."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from jssl import configs, run
from jssl.core.build import plan
from jssl.plans.blank import stand_ins
from tests.test_scales import RESNET50, sizes

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'recipes.md'
RECIPES = [f'{name}:{scale}' for name in sorted(configs.names()) for scale in getattr(configs.module(name), 'PUBLISHED', {})]
RESNET18, STEM = 11_176_512, (7 * 7 - 3 * 3) * 3 * 64  # torchvision's, without its classifier; what a smaller first kernel saves


def mlp(*widths: int, norm: int = 2, bias: bool = True, last: int = 1) -> int:
  """Parameters of an MLP: `norm` arrays of a normalisation after hidden layers, and `last` arrays of the size of the output."""
  *hidden, end = pairwise(widths)
  return sum(a * b + (bias + norm) * b for a, b in hidden) + end[0] * end[1] + last * end[1]


# Epochs, batch, and parameters of the projector and the predictor: of solo-learn, and of the official codes on ImageNet.
HEADS = {
  'simclr:cifar10': (1000, 256, mlp(512, 2048, 256, norm=0)),
  'simclr:imagenet100': (400, 256, mlp(512, 4096, 512, norm=0)),
  'moco_v2:cifar10': (1000, 256, mlp(512, 2048, 256, norm=0)),
  'moco_v2:imagenet100': (400, 256, mlp(512, 2048, 256, norm=0)),
  'moco_v2:imagenet': (200, 256, mlp(2048, 2048, 128, norm=0)),
  'byol:cifar10': (1000, 256, mlp(512, 4096, 256), mlp(256, 4096, 256)),
  'byol:imagenet100': (400, 256, mlp(512, 4096, 256), mlp(256, 8192, 256)),
  'byol:imagenet': (1000, 4096, mlp(2048, 4096, 256, last=0), mlp(256, 4096, 256, last=0)),
  'simsiam:cifar10': (1000, 256, mlp(512, 2048, 2048, 2048, bias=False, last=0), mlp(2048, 512, 2048, bias=False)),
  'simsiam:imagenet100': (400, 256, mlp(512, 2048, 2048, 2048, bias=False, last=0), mlp(2048, 512, 2048, bias=False)),
  'simsiam:imagenet': (100, 512, mlp(2048, 2048, 2048, 2048, bias=False, last=0), mlp(2048, 512, 2048, bias=False)),
  'barlow_twins:cifar10': (1000, 256, mlp(512, 2048, 2048, 2048)),
  'barlow_twins:imagenet100': (400, 256, mlp(512, 2048, 2048, 2048)),
  'vicreg:cifar10': (1000, 256, mlp(512, 2048, 2048, 2048)),
  'vicreg:imagenet100': (400, 256, mlp(512, 2048, 2048, 2048)),
  'vicreg:imagenet': (1000, 2048, mlp(2048, 8192, 8192, 8192, last=0)),
  'swav:cifar10': (1000, 256, mlp(512, 2048, 128)),
  'swav:imagenet100': (400, 256, mlp(512, 2048, 128)),
  'w_mse:cifar10': (1000, 256, mlp(512, 1024, 64)),
  'w_mse:imagenet100': (240, 512, mlp(512, 1024, 128)),
  'nnclr:cifar10': (1000, 256, mlp(512, 2048, 2048, 256, last=3), mlp(256, 4096, 256)),
  'nnclr:imagenet100': (400, 256, mlp(512, 2048, 2048, 256, last=3), mlp(256, 4096, 256)),
  'nnclr:imagenet': (1000, 4096, mlp(2048, 2048, 2048, 256, last=3), mlp(256, 4096, 256)),
  'dino:cifar10': (1000, 256, mlp(512, 2048, 2048, 256, norm=0) + 256 * 4096),
  'dino:imagenet100': (400, 256, mlp(512, 2048, 2048, 256, norm=0) + 256 * 4096),
  'moco_v3:cifar10': (1000, 256, mlp(512, 4096, 256, bias=False, last=0), mlp(256, 4096, 256, bias=False, last=0)),
  'moco_v3:imagenet100': (400, 256, mlp(512, 4096, 256, bias=False, last=0), mlp(256, 4096, 256, bias=False, last=0)),
  'supcon:cifar10': (1000, 1024, mlp(2048, 2048, 128, norm=0)),
  'supcon:imagenet': (350, 6144, mlp(2048, 128)),
}
EXAMPLES = {'cifar10': 50_000, 'imagenet100': 126_689, 'imagenet': 1_281_167}


@pytest.fixture(autouse=True)
def no_data():
  with stand_ins():
    yield


@pytest.mark.parametrize('name', HEADS)
@pytest.mark.rotating
def test_heads_are_those_of_the_codes(name):
  epochs, batch_size, *found = HEADS[name]
  scale = name.split(':')[1]
  backbone = RESNET50 if scale == 'imagenet' or name == 'supcon:cifar10' else RESNET18
  p = plan(run.load_config(name))
  told = sizes(p)
  assert told['backbone'] == backbone - STEM * (scale == 'cifar10')
  assert [told[head] for head in ('projector', 'predictor') if head in told] == found
  assert p.steps == epochs * (EXAMPLES[scale] // batch_size)


def test_the_page_has_all_published_scales():
  rows = dict(re.findall(r'^\| `([\w:]+)` \| (\w+ [\d.–]+) \|', PAGE.read_text(), re.M))
  of = {name: configs.module(name.split(':')[0]).PUBLISHED[name.split(':')[1]] for name in RECIPES}
  told = {name: f'{row["metric"]} {row["value"]:.4g}' if row['value'] is not None else f'{row["metric"]} –' for name, row in of.items()}
  assert rows == told, 'run python experiments/recipes_page.py'


def test_simcse_is_bert_base():
  p = plan(run.load_config('simcse:wiki1m'))
  assert sizes(p) == dict(backbone=109_482_240 - 590_592, projector=590_592)  # transformers' BertModel, without its pooler; that size again
  assert p.batch['ids'].shape == (64, 32) and p.steps == 1_000_000 // 64


def test_e5_is_bert_base_without_a_head():
  p = plan(run.load_config('e5:marco'))
  assert sizes(p) == dict(backbone=109_482_240 - 590_592)
  assert p.batch['negatives'].shape == (256, 7, 192) and p.batch['teacher'].shape == (256, 8)
