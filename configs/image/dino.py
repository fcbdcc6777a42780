"""DINO. Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin, ICCV 2021. arXiv:2104.14294, Eq. 1 to 4 and Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, batch_size=128)
  c.parts = (
    "cross-entropy of the teacher's softmax and the student's, never of a view with itself; student temperature 0.1",
    'teacher: moving average, decay rising by a cosine from 0.99 to 1 (paper: from 0.996), without gradient',
    'teacher sharpened at temperature 0.02 (paper: rising from 0.04 to 0.07 in 30 epochs), centred by a running mean, momentum 0.9',
    'head of three layers with GELU, bottleneck of unit length, 1,024 outputs (paper: 65,536); with batch norm (paper: none)',
    "two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); probes of the teacher's features",
    dict(part='multi-crop: 8 local views of 96 pixels for the student alone; blur, solarisation', out='open', why='two views drawn alike'),
    dict(part='vision transformer; attention maps of the class token as segmentation', out='open', why='a convnet'),
    dict(part='last layer fixed in the first epoch; weight decay rising from 0.04 to 0.4; clipped gradients', out='open', why='none of them'),
    dict(part='ImageNet; retrieval, copy detection, video segmentation, transfer', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-S and ViT-B, 300 and 800 epochs', out='scale', why='a convnet, 20 epochs'),
  )
  c.optimizer.learning_rate.peak = 2e-3
  c.heads.projector = dict(name='dino_head', k=1024, hidden=256, bottleneck=64, norm='batch')
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  # At the paper's 0.04, views of digits start too alike for the teacher to be sharper than the student: both become uniform.
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.centre = dict(name='centre', of='views.k', momentum=0.9)
  c.losses.distil = dict(
    name='dino', of=dict(q='views.q', k='views.k', centre='memory.centre'), pairs='all', teacher_temperature=0.02, temperature=0.1
  )
  c.represent = dict(from_teacher=True)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
