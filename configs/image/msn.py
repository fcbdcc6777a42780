"""MSN. Assran, Caron, Misra, Bojanowski, Bordes, Vincent, Joulin, Rabbat, Ballas, ECCV 2022. arXiv:2204.07141, section 3.

The scale `imagenet` is the ViT-S/16 of 800 epochs of the official code (configs/pretrain/msn_vits16.yaml, src/msn_train.py), on 16 GPUs as in
its README. Accuracy from memory (Table 3 of the paper); the hours are not published.
Deviates: schedules of rate and weight decay end with the run (official code: at 1.25 times its length, of which the end is cut off);
gradients are clipped together with those of the prototypes (official code: without); images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.769, source='arXiv:2204.07141, Table 3 and the README of the official code, ViT-S/16', hardware='16 GPUs',
    hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  full = scale == 'imagenet'
  c = common.imagenet(batch_size=1024, epochs=800) if full else common.image(scale, data='digits', batch_size=64, epochs=15)
  c.parts = (
    'anchors: a view whose patches are dropped at random, and focal views, small and whole; the target is another view, whole',
    'a quarter of the patches dropped (paper: 0.15 for ViT-S, up to 0.7); 2 focal views (paper: 10)',
    'softmax of cosines with 64 learned prototypes of unit length, temperature 0.1 (paper: 1,024), the same for anchors and target',
    'target sharpened at 0.25, then 3 iterations of Sinkhorn-Knopp (official code), without gradient',
    'entropy of the mean prediction over all anchors maximised, weight 1',
    'head of three layers with GELU and batch norm; 128 and 48 wide (paper: 2,048 and 256); representations before it',
    'teacher: moving average, decay rising linearly from 0.95 to 1 (paper: from 0.996)',
    'views by affine moves, brightness and contrast (paper: crops, flips, colour, grey, blur)',
    'rising weight decay, clipped gradients, crops and colour: at the scale imagenet',
    dict(part='low-shot evaluation with 1, 2 and 5 images a class of ImageNet; fine-tuning', out='open', why='few-shot probes here'),
    dict(part='ImageNet-1K; transfer to iNaturalist, CIFAR, Places', out='data', why='no package ships them; 1,797 digits'),
    dict(part='ViT-S to ViT-L/7, 200 to 800 epochs', out='scale', why='2 blocks of 48, 15 epochs'),
  )
  focal = 10 if full else 2
  last = focal + 1  # the target; views before it are anchors
  if full:
    imagenet(c, focal)
  else:
    near = dict(size=4, crop=dict(scale=(0.2, 0.3)), affine=None)
    c.view.update(affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.2), shear=10), views=({}, *(near,) * focal, {}))
    c.optimizer.learning_rate.peak = 3e-3
    c.backbone = common.transformer(scale, 'vit', width=48, depth=2, heads=4, patch=2, std=0.0, mask_token=False)
  widths = (2048, 2048, 256) if full else (128, 128, 48)
  c.heads.projector = dict(name='mlp', widths=widths, act='gelu', norm='batch')
  c.heads.prototypes = dict(name='prototypes', on='projector', k=1024 if full else 64)
  decay = dict(name='linear', start=0.996, end=0.9992) if full else dict(name='linear', start=0.95, end=1.0)
  c.teacher = dict(name='ema', decay=decay, networks=('backbone', 'projector'))
  mask = dict(name='random_mask', ratio=0.15 if full else 0.25)
  c.passes.views = dict(
    name='masked_views', mask=mask, hide='drop', masked=(0,), anchors=tuple(range(last)), targets=(last,), heads=('projector',)
  )
  c.passes.anchors = dict(name='apply', network='prototypes', on='views.q')
  c.passes.target = dict(name='apply', network='prototypes', on=f'views.k[{last}]')
  c.losses.msn = dict(name='msn', of=('anchors.out', 'target.out'), iterations=3)
  c.represent = dict(from_teacher=True)
  if not full:
    hidden = dict(name='augment', views=1, cutout=dict(size=0.5))
    c.evaluators = dict(fewshot=dict(name='fewshot'), hidden=dict(name='equivariance', view=hidden))
  # The manipulation: what hiding a quarter of the picture changes of the embeddings, as a share of their spread.
  c.claim = dict(
    metric='fewshot_top1_5shot', beats=('unmasked',), margin=0.01, without='unmasked',
    manipulation=dict(metric='hidden_unrotated', beats=('unmasked',), margin=0.02, lower=True),
    variants=dict(unmasked=('passes.views.mask.ratio=0.0',)),
  )  # fmt: skip
  return c


def imagenet(c, focal):
  """Data, views, network and optimiser of the official code."""
  wide, near = dict(scale=(0.3, 1.0)), dict(scale=(0.05, 0.3))
  c.data.crop = dict(views=(wide, *(near,) * focal, wide), size=224, ratio=(3 / 4, 4 / 3))
  c.view.update(jitter=dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8), views=({}, *(dict(size=96),) * focal, {}))
  c.view.update(**common.IMAGENET)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.backbone = dict(name='vit_small', patch=16, mask_token=False)
  rate = dict(name='cosine', peak=1e-3, start=2e-4, end=1e-6, warmup='15 epochs')
  decay = dict(name='rise', start=0.04, end=0.4)
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=decay, clip=3.0, parts=(dict(of='prototypes', decay=0.0),))
