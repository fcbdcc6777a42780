"""iBOT. Zhou, Wei, Wang, Shen, Xie, Yuille, Kong, ICLR 2022. arXiv:2111.07832, section 3 and Algorithm 1.

The scale `imagenet` is the ViT-S/16 of 800 epochs whose command is in the README of the official code (bytedance/ibot, "iBOT Pre-Training
with ViTs"), with the defaults of main_ibot.py where the command is silent.
Deviates: the gain of the last layer stays 1 (that run: learned); images are resized bilinearly (official code: bicubically), and local crops
from the 224 pixels to which the loader scales them; mask tokens start from N(0, 0.02^2) (official code: 0). The hours are from memory (a table
of the paper's appendix, for this network and these crops), and not checked.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.779, source='arXiv:2111.07832, README of the official code, 800 epochs', hardware='16 V100 GPUs', hours=193.4,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, data='digits', batch_size=64, epochs=15)
  c.parts = (
    'masked patches: cross-entropy of the student, which sees them masked, with the teacher, which sees them; mean over masked patches',
    'class token: the same between different views, the student masked; both losses with weight 1',
    'one head for class token and patches, three layers with GELU and batch norm (paper: none), bottleneck of unit length, 256 outputs (8,192)',
    'blockwise masks on each view with probability 0.5, of a share of U(0.1, 0.5); masked patches replaced by a learned token',
    'two centres, of the class token and of the patches, momentum 0.9; teacher temperatures 0.02 (paper: rising from 0.04 to 0.07)',
    'teacher: moving average, decay rising by a cosine from 0.95 to 1 (paper: from 0.996), without gradient',
    "two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); probes of the teacher's features",
    'multi-crop, blur, solarisation; last layer fixed in the first epoch; rising weight decay; clipped gradients: at the scale imagenet',
    dict(part='random masks; Swin; fine-tuning; semi-supervised and unsupervised classification', out='open', why='none is run'),
    dict(part='attention maps and patterns of patches, robustness', out='open', why='not drawn'),
    dict(part='ImageNet-1K and 22K; COCO, ADE20K, DAVIS, transfer', out='data', why='no package ships them; 1,797 digits'),
    dict(part='ViT-S to ViT-L, 250 to 800 epochs', out='scale', why='2 blocks of 48, 15 epochs'),
  )
  c.optimizer.learning_rate.peak = 3e-3
  c.backbone = common.transformer(scale, 'vit', width=48, depth=2, heads=4, patch=2, std=0.0)
  # As in `dino`: small pictures start too alike, and without batch norm the teacher becomes uniform.
  c.heads.projector = dict(name='dino_head', k=256, hidden=96, bottleneck=48, norm='batch')
  c.view.affine = dict(degrees=10, translate=0.1, scale=(0.8, 1.2), shear=10)
  common.masked_distillation(c, decay=0.95, temperature=0.02)
  c.evaluators = dict(
    knn=dict(name='knn'), patches=dict(name='linear', pools=('mean',), learning_rates=(0.1, 1.0), epochs=30),
  )  # fmt: skip
  c.claim = dict(
    metric='knn_top1', beats=('dino',), margin=0.01, without='dino',
    manipulation=dict(metric='patches_top1', beats=('dino',), margin=0.01),
    variants=dict(dino=('losses.patches.weight=0.0', 'passes.views.mask.p=0.0')),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=1024, epochs=800)
  wide, near = dict(scale=(0.25, 1.0)), dict(scale=(0.05, 0.25))
  c.data.crop = dict(views=(*(wide,) * 2, *(near,) * 10), size=224, ratio=(3 / 4, 4 / 3))
  c.view = common.imagenet_views(local=10)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.backbone = dict(name='vit_small', patch=16, drop_path=0.1)
  c.heads.projector = dict(name='dino_head', k=8192)
  warm = dict(name='linear', start=0.04, end=0.07, over='30 epochs')
  common.masked_distillation(c, decay=0.996, temperature=warm)
  rate = dict(name='cosine', peak=5e-4, end=1e-6 / 4, warmup='10 epochs')  # an end of 1e-6 for this batch
  last = (dict(of='projector.prototypes', until='1 epoch'),)
  c.optimizer = dict(
    name='adamw', learning_rate=rate, per=256, weight_decay=dict(name='rise', start=0.04, end=0.4), clip_each=3.0, parts=last,
  )  # fmt: skip
  return c
