"""DINOv2. Oquab, Darcet, Moutakanni, Vo, Szafraniec and others, TMLR 2024. arXiv:2304.07193, section 4.

The scale `imagenet` is the ViT-L/16 on ImageNet-1k of the README of the official code ("Fast setup", vitl16_short.yaml over
ssl_default_config.yaml). It has KoLeo, and still the centre and the shared head of iBOT, as that file says; small scales have the method of the
paper. Its 100 epochs have 1,250 steps each; here an epoch is one of the data, and 200 of these are as many steps.
Deviates: masks are drawn independently (official code: exactly half of the views of a process, shares in equal parts of the range); the
centre of patches is of all of them (official code: of the masked ones); stochastic depth has a rate that grows with depth (official code:
the same in every block); gradients are clipped to one norm (official code: those of backbone and head apart); tokens and positions do not
decay (official code: they do); images are resized bilinearly, and local crops from the 224 pixels to which the loader scales them; mask
tokens start from N(0, 0.02^2) (official code: 0).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.829, source='arXiv:2304.07193, README of the official code, ViT-L/16 on ImageNet-1k', hardware='32 A100 GPUs',
    hours=24,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, data='digits', batch_size=64, epochs=15)
  c.parts = (
    'cross-entropy of class tokens between different views, and of masked patches with the teacher, which sees them; both with weight 1',
    'heads of their own for class token and patches, three layers, bottleneck of unit length, 256 outputs (paper: 131,072)',
    'teacher centred by 3 iterations of Sinkhorn-Knopp, over both views, over all masked patches; temperature 0.04 (paper: rising to 0.07)',
    'KoLeo on the class tokens of each of both views, weight 0.1',
    'blockwise masks on each view with probability 0.5, of a share of U(0.1, 0.5), blocks of at least 4 patches; no masks on local views',
    'a last phase at a higher resolution, 12 pixels after 8 (paper: 518 after 224), a tenth of the steps, whose schedules are compressed',
    'teacher: moving average, decay rising by a cosine from 0.95 to 1 (paper: from 0.994), without gradient',
    'multi-crop, layer scale, stochastic depth, rates that fall from layer to layer, rising weight decay: at the scale imagenet',
    dict(part='packing of sequences, attention in blocks, sharded mixed precision', out='hardware', why='what JAX and XLA do'),
    dict(part='distillation of small networks from a frozen ViT-g', out='open', why='not run'),
    dict(part='SwiGLU and ViT-g/14', out='scale', why='2 blocks of 48, 15 epochs'),
    dict(part='LVD-142M and its curation; segmentation, depth, retrieval, video', out='data', why='no package ships them; digits'),
  )
  c.optimizer.learning_rate.peak = 3e-3
  c.backbone = common.transformer(scale, 'vit', width=48, depth=2, heads=4, patch=2, image=(8, 8), std=0.0)
  # As in `ibot`, for small pictures.
  c.heads = {name: dict(name='dino_head', on='backbone', k=256, hidden=96, bottleneck=48, norm='batch') for name in ('projector', 'patches')}
  c.view.affine = dict(degrees=10, translate=0.1, scale=(0.8, 1.2), shear=10)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.95), networks=('backbone', 'projector', 'patches'))
  high = {**c.optimizer.to_dict(), 'learning_rate': dict(name='cosine', peak=1e-3, warmup='10%')}
  c.phases = (
    dict(steps=common.at(scale)(small='90%', tiny='50%'), losses=resolution(c, 'low', {})),
    dict(losses=resolution(c, 'high', dict(size=12)), optimizer=high),
  )
  c.represent = dict(from_teacher=True)
  c.evaluators = dict(knn=dict(name='knn'), spread=dict(name='spread'))
  c.claim = dict(
    metric='knn_top1', beats=('no_koleo',), margin=0.01, without='no_koleo',
    manipulation=dict(metric='spread_nearest', beats=('no_koleo',), margin=0.01),
    variants=dict(no_koleo=tuple(f'losses.{name}_koleo{i}.weight=0.0' for name in ('low', 'high') for i in (0, 1))),
  )  # fmt: skip
  return c


def resolution(c, name, changes):
  """The pass of that name and its losses, whose names are returned."""
  mask = dict(name='drawn_block_mask', ratio=(0.1, 0.5), p=0.5, least=4)
  c.passes[name] = dict(
    name='masked_views',
    view={**c.view.to_dict(), **changes},
    mask=mask,
    masked=(0, 1),
    targets=(0, 1),
    heads=('projector',),
    patch_heads=('patches',),
  )
  balanced = dict(iterations=3, temperature=0.1)
  losses = dict(patches=dict(
    name='ibot', of=dict(q=f'{name}.q_patches', k=f'{name}.k_patches', mask=f'{name}.mask'), teacher_temperature=0.04, **balanced
  ))  # fmt: skip
  for i in (0, 1):
    of = dict(q=f'{name}.q', k=f'{name}.k', queue=f'{name}.k[{1 - i}]')
    losses[f'class{i}'] = dict(name='swav', of=of, pairs=((1 - i, i),), weight=0.5, epsilon=0.04, **balanced)
    losses[f'koleo{i}'] = dict(name='koleo', of=(f'{name}.pooled[{i}]',), weight=0.1)
  c.losses.update({f'{name}_{loss}': spec for loss, spec in losses.items()})
  return tuple(f'{name}_{loss}' for loss in losses)


def imagenet():
  c = common.imagenet(batch_size=2048, epochs=200)
  wide, near = dict(scale=(0.32, 1.0)), dict(scale=(0.05, 0.32))
  c.data.crop = dict(views=(*(wide,) * 2, *(near,) * 8), size=224, ratio=(3 / 4, 4 / 3))
  c.view = common.imagenet_views(local=8)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.backbone = dict(name='vit_large', patch=16, drop_path=0.3, layer_scale=1e-5)
  c.heads.projector = dict(name='dino_head')
  warm = dict(name='linear', start=0.04, end=0.07, over=37500)
  common.masked_distillation(c, decay=0.992, temperature=warm)
  c.passes.views.mask.least = 4
  for i in (0, 1):
    c.losses[f'koleo{i}'] = dict(name='koleo', of=(f'views.pooled[{i}]',), weight=0.1)
  rate = dict(name='cosine', peak=4e-3 * 2**0.5, end=1e-6, warmup=12500)  # 4e-3 for 1,024 images, by the root of their number
  parts = (dict(of='backbone.embed', rate=0.2), dict(of='projector.prototypes', until=1250))
  decay = dict(name='rise', start=0.04, end=0.4)
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=decay, clip=3.0, layer_decay=0.9, parts=parts)
  return c
