"""What published recipes send and hold at full size, compiled for TPUs that need not be here.

    python experiments/pod.py [--topology v5p:2x2x4] [--rules fsdp] [NAME ...]     # needs pip install 'jax[tpu]'

One row a recipe, in experiments/pod.json: methods at sizes of their own, and published scales such as 'moco_v3:imagenet', which compute in
bfloat16 here, with blocks of transformers recomputed, each for a topology of its own. What it must send under fsdp is at least
(2 c + g) P (n - 1) / n bytes a step and device: each of P weights, gathered in c bytes for either direction (once where micro-batches share it,
and for a teacher), and its gradient of g bytes.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
for name, value in dict(
  TPU_SKIP_MDS_QUERY='1', ALLOW_MULTIPLE_LIBTPU_LOAD='1', TPU_WORKER_HOSTNAMES='localhost', TPU_ACCELERATOR_TYPE='v5p-8'
).items():
  os.environ.setdefault(name, value)

import jax  # noqa: E402 - which reads these

from jssl.configs import load_config  # noqa: E402
from jssl.core.build import plan  # noqa: E402
from jssl.core.mesh import make_mesh  # noqa: E402
from jssl.core.programs import Programs  # noqa: E402
from jssl.devices.traffic import collectives, total  # noqa: E402
from jssl.plans.blank import stand_ins  # noqa: E402
from jssl.plans.compiled import ONCE, topology  # noqa: E402
from jssl.plans.estimate import estimate  # noqa: E402

BLANK = 'jssl.plans.blank:'
HALF = dict(dtype='bfloat16')


def scaled(name: str, data: str, batch_size: int):
  c = load_config(name)
  c.data, c.batch_size, c.evaluators = dict(name=BLANK + data), batch_size, {}
  with c.ignore_type():
    c.epochs, c.steps = None, 1000
  return c


def mae():
  """MAE ViT-L, 4,096 images."""
  c = scaled('mae', 'images', 4096)
  c.backbone = dict(name='vit_large', patch=16, pool='cls', positions='sincos', std=0.0, remat=True, **HALF)
  c.heads.decoder = dict(name='mae_decoder', width=512, depth=8, heads=16, remat=True, **HALF)
  c.view = dict(name='augment', views=1, size=224, crop=dict(scale=(0.2, 1.0)), flip=0.5)
  c.inputs = dict(name='plain', size=224)
  return c


def ijepa():
  """I-JEPA ViT-H, 2,048 images."""
  c = scaled('ijepa', 'images', 2048)
  c.backbone = dict(name='vit_base', width=1280, depth=32, heads=16, patch=14, pool='mean', positions='sincos', remat=True, **HALF)
  c.heads.predictor = dict(name='ijepa_predictor', width=384, depth=12, heads=16, remat=True, **HALF)
  c.view = dict(name='augment', views=1, size=224, crop=dict(scale=(0.3, 1.0)))
  c.inputs = dict(name='plain', size=224)
  return c


def dino():
  """DINO ViT-S with 65,536 prototypes, 1,024 images in two views of 224 pixels."""
  c = scaled('dino', 'images', 1024)
  c.backbone = dict(name='vit_small', patch=16, drop_path=0.1, **HALF)
  c.heads.projector = dict(name='dino_head', k=65536, hidden=2048, bottleneck=256)
  c.view = dict(name='augment', size=224, crop=dict(scale=(0.25, 1.0)), flip=0.5)
  c.inputs = dict(name='plain', size=224)
  return c


def e5():
  """E5, BERT-base, 16,384 texts of 128 tokens in micro-batches of 64 a device."""
  c = scaled('simcse', 'texts', 16384)
  c.backbone = dict(name='bert', width=768, depth=12, heads=12, dropout=0.1, pool='mean', **HALF)
  c.heads = {}
  c.passes.views = dict(name='embed', heads=())
  return c


def clip():
  """CLIP B/16, 32,768 pairs in 8 micro-batches."""
  c = scaled('clip', 'captions', 32768)
  c.backbone = dict(name='vit_base', patch=16, remat=True, **HALF)
  c.heads.text = dict(name='bert', width=512, depth=12, heads=8, remat=True, on='data.ids', **HALF)
  c.heads.image_end.dim = c.heads.text_end.dim = 512
  c.view = dict(name='with_columns', names=('ids',), view=dict(name='augment', views=1, size=224, crop=dict(scale=(0.5, 1.0))))
  c.inputs, c.micro_batches = dict(name='plain', size=224), 8
  return c


def simclr():
  """SimCLR ResNet-50, 4,096 images in two views of 224 pixels."""
  c = scaled('simclr', 'images', 4096)
  c.backbone = dict(name='resnet50', **HALF)
  c.view = dict(name='augment', views=2, size=224, crop=dict(scale=(0.08, 1.0)), flip=0.5)
  c.inputs = dict(name='plain', size=224)
  return c


def byol():
  """BYOL ViT-B/16, 2,048 images in two views of 224 pixels."""
  c = scaled('byol', 'images', 2048)
  c.backbone = dict(name='vit_base', patch=16, pool='mean', remat=True, **HALF)
  c.view = dict(name='augment', views=2, size=224, crop=dict(scale=(0.08, 1.0)), flip=0.5)
  c.inputs = dict(name='plain', size=224)
  return c


def published(name: str):
  """A published scale."""
  c = load_config(name)
  for spec in (c.backbone, *c.heads.values()):
    spec.update(HALF)
  if c.backbone.name.startswith(('vit', 'bert')):
    c.backbone.remat = True
  return c


RECIPES = dict(mae=mae, ijepa=ijepa, dino=dino, e5=e5, clip=clip, simclr=simclr, byol=byol)
# and their topologies
PUBLISHED = {'moco_v3:imagenet': 'v5p:2x2x4', 'barlow_twins:imagenet': 'v5p:2x2x2', 'simcse:wiki1m': 'v5p:2x2x1'}


def least(p, states, n: int) -> float:
  """Bytes that weights and gradients take a step and device."""
  size = lambda tree: sum(x.size for x in jax.tree.leaves(tree))
  spec = lambda name: p.config['backbone'] if name == 'backbone' else p.config['heads'][name]
  cast = lambda name: 2 if spec(name).get('dtype') == 'bfloat16' else 4
  several = p.config['micro_batches'] > 1
  sent = 0.0
  for name, params in states.params.items():
    c = cast(name)
    sent += size(params) * (c * (1 if several else 2) + (4 if several else c))
  for taught in states.state['target'].values():
    sent += sum(size(params) * cast(name) for name, params in taught.items())
  return sent * (n - 1) / n


def config(name: str, devices: list, sizes: dict, rules: str):
  c = RECIPES[name]() if name in RECIPES else published(name)
  c.mesh, c.rules = sizes, rules
  if name == 'e5':  # whatever the number of devices
    c.micro_batches = c.batch_size // (64 * len(devices))
  return c


def estimated(name: str, devices: list, sizes: dict, rules: str) -> int:
  """Bytes that are told before a run, without compiling."""
  with stand_ins():
    p = plan(config(name, devices, sizes, rules))
  mesh = make_mesh(sizes, devices)
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
  told = estimate(p, programs)
  return told.state + told.temporary


def measure(name: str, devices: list, sizes: dict, rules: str) -> dict:
  with stand_ins():
    p = plan(config(name, devices, sizes, rules))
  mesh = make_mesh(sizes, devices)
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
    compiled = programs.trace().lower().compile(compiler_options=ONCE)
  m, sent = compiled.memory_analysis(), collectives(compiled.as_text())
  judged = [one for one in sent if any(f'({loss})' in one.place for loss in p.config['losses'])]
  bound = least(p, programs.states[0], len(devices))
  weights = total(sent) - total(judged)
  return dict(
    recipe=RECIPES[name].__doc__ if name in RECIPES else 'As published, in bfloat16.',
    devices=len(devices), kind=devices[0].device_kind, mesh=sizes, rules=rules,
    parameters=sum(x.size for x in jax.tree.leaves(programs.states[0].params)),
    sent=total(sent), sent_for_objective=total(judged), least=bound, ratio=weights / bound,
    state=m.argument_size_in_bytes, temporary=m.temp_size_in_bytes, estimated=estimated(name, devices, sizes, rules),
  )  # fmt: skip


if __name__ == '__main__':
  parser = argparse.ArgumentParser()
  parser.add_argument('names', nargs='*', default=[*RECIPES, *PUBLISHED])
  parser.add_argument('--topology', help='by default that of each recipe, v5p:2x2x4 for most')
  parser.add_argument('--rules', default='fsdp')
  parser.add_argument('--estimates', action='store_true', help='only estimate the rows that there are anew')
  parser.add_argument('--tensor', type=int, default=1)
  parser.add_argument('--data', type=int, default=1)
  arguments = parser.parse_args()
  path = Path(__file__).with_suffix('.json')
  known = json.loads(path.read_text()) if path.exists() else {}
  if arguments.estimates:
    for key, row in known.items():
      name, where, rules = key.split()[:3]
      row['estimated'] = estimated(name, topology(where), row['mesh'], rules)
      print(f'{key}: estimated {row["estimated"] / (row["state"] + row["temporary"]):.2f} of what the executable takes', flush=True)
    path.write_text(json.dumps(known, indent=1) + '\n')
    raise SystemExit
  across = f' data={arguments.data}' if arguments.data > 1 else ''
  for name in arguments.names:
    devices = topology(where := arguments.topology or PUBLISHED.get(name, 'v5p:2x2x4'))
    sizes = dict(data=arguments.data, fsdp=len(devices) // (arguments.tensor * arguments.data), tensor=arguments.tensor)
    row = known[f'{name} {where} {arguments.rules}{across}'] = measure(name, devices, sizes, arguments.rules)
    print(
      f'{name}: {row["parameters"] / 1e6:.0f} M parameters, sent {row["sent"] / 1e9:.2f} GB (of that for the objective '
      f'{row["sent_for_objective"] / 1e9:.2f}), least {row["least"] / 1e9:.2f}, ratio {row["ratio"]:.2f}; state and batch '
      f'{row["state"] / 1e9:.2f} GB, temporary {row["temporary"] / 1e9:.2f} GB a device', flush=True,
    )  # fmt: skip
    path.write_text(json.dumps(known, indent=1) + '\n')
